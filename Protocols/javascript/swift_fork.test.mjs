// Tests of swift_fork.mjs: every vector, what is written and when, and what goes over real sockets.
//
//     node --test Protocols/javascript

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  ABORT, BYTES, CANCEL, CREDIT, Channel, Conversations, END, FAILURE, HELLO, LIMIT_VARIABLE, MESSAGE, META, MORE, OPEN,
  PING, PONG, Receiver, Sender, decodeJSON, encodeCredit, encodeFrame, encodeHello, encodeJSON, fork,
} from './swift_fork.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const vectors = JSON.parse(fs.readFileSync(path.join(here, '../vectors/native-v1.json'), 'utf8'));
const options = { timeout: 60_000 };
const kinds = { hello: HELLO, abort: ABORT, ping: PING, pong: PONG, credit: CREDIT, cancel: CANCEL, end: END };
Object.assign(kinds, { message: MESSAGE, bytes: BYTES, failure: FAILURE });
const WINDOW = 262_144;

const unhex = (digits) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const repeated = (bytes, count) => Buffer.alloc(bytes.length * count, bytes);
const joined = (parts) => Buffer.concat(parts.map(({ hex, repeat = 1 }) => repeated(unhex(hex), repeat)));
const bodyOf = ({ body, bodyHex, bodyParts, parts }) => {
  if (body !== undefined) return Buffer.from(body);
  if (bodyHex !== undefined) return unhex(bodyHex);
  return joined(bodyParts ?? parts ?? []);
};
const json = (value) => Buffer.from(JSON.stringify(value));

// Vectors.

/** What can be compared fast, and shown. */
const textOf = (body) =>
  body.length < 1000 ? body.toString('latin1') : createHash('sha1').update(body).digest('hex');

function frameOf({ kind, id, body, more, descriptors, meta, reason }) {
  const said = reason && { code: reason.code, message: reason.message };
  return [kind, id, textOf(body), more ?? false, descriptors ?? 0, meta ?? {}, said ?? null];
}

function expectedFrame(frame) {
  const { kind, id = 0, open = false, descriptors = 0, description = {}, reason = null } = frame;
  const { name, timeout, trace } = description;
  return [kinds[kind], id, textOf(bodyOf(frame)), open, descriptors, { name, timeout, trace }, reason];
}

function receiverOf({ side, limit, window = WINDOW, ids = 256, opened = 0 }) {
  const receiver = new Receiver({ isChild: side === 'child', limit, window, ids });
  const { conversations } = receiver;
  // What the reader has asked; it has nothing more to say in them.
  for (let number = 0; number < opened; number += 1) {
    const conversation = conversations.reserve();
    conversations.opened(conversation);
    conversations.endOurs(conversation);
  }
  return receiver;
}

/** As text, which can be compared fast. */
function read(pieces, state) {
  const receiver = receiverOf(state);
  const frames = [];
  try {
    for (const piece of pieces) for (const frame of receiver.feed(piece)) frames.push(frameOf(frame));
  } catch (error) {
    return JSON.stringify([frames, error.code, null]);
  }
  try {
    receiver.end();
  } catch (error) {
    return JSON.stringify([frames, null, error.code]);
  }
  return JSON.stringify([frames, null, null]);
}

test('a stream that comes at once, byte by byte, or cut in two gives the same frames', options, () => {
  for (const vector of vectors.streams) {
    const data = vector.parts ? joined(vector.parts) : unhex(vector.hex);
    const { frames, error = null, atEnd = null } = vector;
    const expected = JSON.stringify([frames.map(expectedFrame), error, atEnd]);
    assert.equal(read([data], vector), expected, vector.name);
    // Long streams come in somewhat longer pieces, and are cut at some places only.
    const step = data.length < 10_000 ? 1 : 997;
    const count = Math.ceil(data.length / step);
    const small = Array.from({ length: count }, (_, at) => data.subarray(at * step, (at + 1) * step));
    assert.equal(read(small, vector), expected, `${vector.name}, byte by byte`);
    for (let at = 1; at < data.length; at += data.length < 10_000 ? 1 : Math.floor(data.length / 10)) {
      const halves = [data.subarray(0, at), data.subarray(at)];
      assert.equal(read(halves, vector), expected, `${vector.name}, cut at ${at}`);
    }
  }
});

test('what has come of messages and frames is held in few pieces', () => {
  const receiver = new Receiver({ isChild: true, ids: 1, window: 2 ** 53 - 1 });
  const feed = (bytes) => [...receiver.feed(bytes)];
  feed(encodeFrame(HELLO, encodeHello()));
  const one = encodeFrame(BYTES, Buffer.from('x'), { flags: MORE });
  for (let number = 0; number < 10_000; number += 1) feed(one);
  assert.ok(receiver.conversations.plain.begun.pieces.length < 20);
  const [{ body }] = feed(encodeFrame(BYTES));
  assert.deepEqual(body, Buffer.alloc(10_000, 'x'));
  // A message that is cancelled in its middle is forgotten.
  feed(encodeFrame(BYTES, Buffer.from([0, 2, 123, 125]), { id: 1, flags: META | MORE }));
  assert.equal(receiver.conversations.begun.size, 1);
  feed(encodeFrame(CANCEL, Buffer.alloc(0), { id: 1 }));
  assert.equal(receiver.conversations.begun.size, 0);
});

test('a payload is taken, or refused for its reason', () => {
  for (const vector of vectors.payloads) {
    const body = bodyOf(vector);
    if (vector.error) {
      assert.throws(() => decodeJSON(body), { code: vector.error }, vector.name);
    } else {
      const value = decodeJSON(body);
      assert.deepEqual(decodeJSON(encodeJSON(value)), value, vector.name);
    }
  }
});

// JSON.

test('numbers are exact, or BigInts', () => {
  const cases = [
    ['9007199254740991', 2 ** 53 - 1], ['9007199254740992', 2n ** 53n], ['-9223372036854775808', -(2n ** 63n)],
    ['18446744073709551615', 2n ** 64n - 1n], ['18446744073709552000', 2 ** 64], ['-0', -0], ['1e300', 1e300],
    ['1.0', 1],
  ];
  for (const [text, value] of cases) assert.ok(Object.is(decodeJSON(Buffer.from(text)), value), text);
  // Digits of such a number would be read as an integer, and not be the same number.
  for (const number of [2 ** 53, 2 ** 63, -(2 ** 63), 2 ** 64, 1e21, -0, 5e-324, Number.MAX_VALUE]) {
    const text = encodeJSON(number).toString();
    assert.ok(Object.is(Number(decodeJSON(Buffer.from(text))), number), text);
    assert.ok(Number.isSafeInteger(number) || /e/.test(text), text);
  }
});

test('what JSON cannot say is not sent', () => {
  let deep = [];
  for (let level = 0; level < 512; level += 1) deep = [deep];
  const values = [
    NaN, -Infinity, 2n ** 64n, '\ud800', { '\udc00': 1 }, undefined, [undefined], new Array(1), () => {}, Symbol('x'),
    new Map([[1, 2]]), new Set([1]), deep,
  ];
  for (const value of values) assert.throws(() => encodeJSON(value), { name: 'Error' }, typeof value);
  const text = encodeJSON({ a: undefined, b: new Date(0), c: [null] }).toString();
  assert.equal(text, '{"b":"1970-01-01T00:00:00.000Z","c":[null]}');
});

test('a key that JavaScript has its own use for is a key', () => {
  const text = '{"__proto__":{"x":1},"constructor":2}';
  const value = decodeJSON(Buffer.from(text));
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(encodeJSON(value).toString(), text);
});

// What is written, without a socket.

/** The fields of a frame. */
function fieldsOf(frame) {
  const [kind, flags, id] = [frame[4], frame[5], Number(frame.readBigUInt64BE(8))];
  assert.equal(frame.readUInt32BE(0), frame.length - 4);
  return { kind, flags, id, body: frame.subarray(16), cost: 48 + frame.length };
}

class TestSender {
  constructor({ isChild = false, ids = 0, peer } = {}) {
    this.conversations = new Conversations({ isChild, ids });
    this.sender = new Sender(this.conversations, encodeHello({ ids }));
    if (peer) this.hello(peer);
    this.plain = this.conversations.plain;
  }

  hello({ limit = 67_108_864, window = WINDOW, ids = 256 } = {}) {
    return this.sender.helloCame({ limit, window, ids });
  }

  add(conversation, size, { kind = BYTES, ...more } = {}) {
    this.sender.add(conversation, this.sender.message(kind, Buffer.alloc(size, 'x'), more));
  }

  open(size, more = {}) {
    const conversation = this.conversations.reserve();
    this.add(conversation, size, { meta: { name: 'x' }, ...more });
    return conversation;
  }

  /** All that may be written now. */
  take() {
    const frames = [];
    for (let frame = this.sender.next(); frame; frame = this.sender.next()) frames.push(fieldsOf(frame));
    return frames;
  }
}

const brief = (frames) => frames.map(({ kind, id }) => [kind, id]);

test('before the hello of the other side, only what every hello allows is sent', () => {
  const one = new TestSender();
  for (let number = 0; number < 20; number += 1) one.add(one.plain, 65_536);
  one.open(1);
  const before = one.take();
  // The fourth frame begins one byte below 262,144 at the latest; the fifth would begin above.
  assert.deepEqual(brief(before), [[HELLO, 0], [BYTES, 0], [BYTES, 0], [BYTES, 0], [BYTES, 0]]);
  one.hello({ limit: 65_536, window: 2 * WINDOW, ids: 1 });
  assert.equal(one.take().filter(({ id }) => id === 1).length, 1);

  const long = new TestSender();
  long.add(long.plain, 65_537);
  long.add(long.plain, 1);
  assert.deepEqual(brief(long.take()), [[HELLO, 0]]);
  // What is too long for the hello is named, and the rest goes on.
  assert.deepEqual(long.hello({ limit: 65_536 }), [long.plain]);
  assert.deepEqual(long.take().map(({ body }) => body.length), [1]);
  assert.equal(long.sender.queuedBytes, 0);
});

test('a message is cut, and frames of different ids take turns', () => {
  const one = new TestSender({ peer: { window: 2 ** 53 - 1 } });
  one.take();
  one.add(one.plain, 300_000);
  const conversation = one.open(300_000, { kind: MESSAGE, open: true });
  one.add(conversation, 0);
  const frames = one.take();
  assert.deepEqual(frames.map(({ id }) => id), [0, 1, 0, 1, 0, 1, 1]);
  const flags = (id) => frames.filter((frame) => frame.id === id).map((frame) => frame.flags);
  assert.deepEqual(flags(0), [MORE, MORE, 0]);
  assert.deepEqual(flags(1), [MORE | META, MORE, OPEN, 0]);
  assert.ok(frames.every(({ body }) => body.length <= 262_144));
});

test('data is written while the offset is below the limit, and a credit frame raises it', () => {
  const one = new TestSender({ peer: { window: WINDOW } });
  for (let number = 0; number < 10; number += 1) one.add(one.plain, 100_000);
  const written = () => one.take().filter(({ kind }) => kind === BYTES).length;
  assert.equal(written(), 3);
  const offset = 3 * 100_064;
  for (const limit of [0, offset]) {
    one.sender.creditCame(one.plain, limit, 0);
    assert.equal(written(), 0);
  }
  one.sender.creditCame(one.plain, offset + 1, 0);
  assert.equal(written(), 1);
  // A limit never falls.
  one.sender.creditCame(one.plain, 2 ** 64, 0);
  one.sender.creditCame(one.plain, 0, 0);
  assert.equal(written(), 6);
  assert.ok(one.sender.isIdle);
});

test('a conversation waits for its credit alone, and control frames wait for none', () => {
  const one = new TestSender({ peer: {} });
  one.take();
  const first = one.open(300_000, { open: true });
  one.open(1);
  one.add(one.plain, 1);
  one.add(first, 1);
  // Two of its frames use the window up.
  assert.deepEqual(brief(one.take()), [[BYTES, 1], [BYTES, 3], [BYTES, 0], [BYTES, 1]]);
  one.sender.ping(Buffer.alloc(8));
  assert.deepEqual(brief(one.take()), [[PING, 0]]);
  one.sender.creditCame(first, 2 * WINDOW, 0);
  assert.deepEqual(brief(one.take()), [[BYTES, 1], [BYTES, 1]]);
});

test('a description costs credit, and an end costs none', () => {
  const one = new TestSender({ peer: {} });
  one.take();
  const meta = { name: 'x' };
  const conversation = one.open(WINDOW / 2 - 64, { open: true });
  one.add(conversation, WINDOW / 2 - 64 - 2 - json(meta).length, { open: true });
  assert.deepEqual(one.take().map(({ cost }) => cost).reduce((sum, cost) => sum + cost), WINDOW);
  one.add(conversation, 0, { open: true });
  assert.deepEqual(one.take(), []);
  one.sender.creditCame(conversation, WINDOW + 1, 0);
  assert.equal(one.take().length, 1);
  one.add(conversation, 0, { kind: END });
  assert.deepEqual(brief(one.take()), [[END, 1]]);
});

test('conversations are opened in order, as many as the other side allows', () => {
  for (const [isChild, ids] of [[false, [1, 3, 5]], [true, [2, 4, 6]]]) {
    const one = new TestSender({ isChild, peer: { ids: 1 } });
    one.take();
    for (let number = 0; number < 3; number += 1) one.open(1);
    assert.deepEqual(brief(one.take()), [[BYTES, ids[0]]]);
    one.sender.creditCame(one.plain, 0, ids[1]);
    assert.deepEqual(brief(one.take()), [[BYTES, ids[1]]]);
    one.sender.creditCame(one.plain, 0, 2 ** 60);
    // It never falls.
    one.sender.creditCame(one.plain, 0, 0);
    assert.deepEqual(brief(one.take()), [[BYTES, ids[2]]]);
  }
});

test('a conversation that is given up before it was opened leaves no gap', () => {
  const one = new TestSender({ peer: { ids: 0 } });
  one.take();
  const conversations = [one.open(1000), one.open(1000), one.open(1000)];
  one.sender.cancel(conversations[1]);
  assert.deepEqual(one.take(), []);
  one.sender.creditCame(one.plain, 0, 5);
  const frames = one.take();
  const opened = frames.filter(({ kind }) => kind === BYTES);
  assert.deepEqual(opened.map(({ id, body, flags }) => [id, body.length > 1000, flags]),
    [[1, true, META], [3, false, META], [5, true, META]]);
  const cancel = frames.findIndex(({ kind }) => kind === CANCEL);
  assert.ok(frames[cancel].id === 3 && cancel > frames.findIndex(({ id }) => id === 3));
  assert.equal(one.sender.queuedBytes, 0);
});

test('a cancel takes what waits with it, and a failure comes after it', () => {
  const one = new TestSender({ peer: {} });
  one.take();
  const [first, second] = [one.open(1, { open: true }), one.open(1, { open: true })];
  one.take();
  one.add(first, 400_000, { open: true });
  one.add(second, 1, { open: true });
  one.sender.cancel(first);
  one.add(second, 2, { kind: FAILURE });
  assert.deepEqual(brief(one.take()), [[CANCEL, 1], [BYTES, 3], [FAILURE, 3]]);
  assert.ok(first.isOver && second.isOver && one.sender.isIdle);
});

test('end of id 0 comes after all data, and after what conversations still owe', () => {
  const one = new TestSender({ peer: {} });
  const conversation = one.open(1, { open: true });
  one.add(one.plain, 300_000);
  one.sender.finish();
  one.add(one.plain, 1);
  assert.deepEqual(brief(one.take()), [[HELLO, 0], [BYTES, 1], [BYTES, 0], [BYTES, 0]]);
  one.sender.creditCame(one.plain, 2 * WINDOW, 0);
  assert.deepEqual(brief(one.take()), [[BYTES, 0], [BYTES, 0]]);
  one.add(conversation, 0, { kind: END });
  assert.deepEqual(brief(one.take()), [[END, 1], [END, 0]]);
  // Control frames may follow.
  one.sender.pong(Buffer.alloc(8));
  assert.deepEqual(brief(one.take()), [[PONG, 0]]);
});

test('credit and pongs that wait are merged', () => {
  const one = new TestSender({ ids: 2, peer: {} });
  one.take();
  for (let number = 0; number < 3; number += 1) {
    one.sender.pong(Buffer.alloc(8, number));
    one.plain.window.add(WINDOW);
    one.plain.window.take(WINDOW);
    assert.ok(one.plain.window.raise());
    one.sender.credit(one.plain);
    const conversation = one.conversations.accept();
    one.conversations.finish(conversation);
    one.conversations.handled(conversation);
  }
  const [pong, credit, ...rest] = one.take();
  assert.deepEqual(rest, []);
  assert.deepEqual(pong.body, Buffer.alloc(8, 2));
  assert.deepEqual(credit.body, encodeCredit(4 * WINDOW, 4 + 6));
});

// Over sockets.

const EMPTY = Buffer.alloc(0);

/** A channel, and the bare socket at its other end, which has sent a hello. */
async function pair(t, { hello = {}, ...channelOptions } = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fork-'));
  const server = net.createServer({ allowHalfOpen: true }).listen(path.join(directory, 'socket'));
  const other = net.connect({ path: path.join(directory, 'socket'), allowHalfOpen: true });
  const [socket] = await once(server, 'connection');
  server.close();
  fs.rmSync(directory, { recursive: true });
  t.after(() => [socket, other].forEach((end) => end.destroy()));
  const channel = new Channel(socket, channelOptions);
  const closed = new Promise((resolve) => channel.once('disconnect', resolve));
  const frames = [];
  const { isChild = false } = channelOptions;
  const receiver = new Receiver({ isChild: !isChild, window: 2 ** 53 - 1, ids: 256 });
  other.on('data', (bytes) => {
    for (const frame of receiver.feed(bytes)) frames.push(frame);
  });
  other.on('error', () => {});
  if (hello) other.write(encodeFrame(HELLO, encodeHello({ window: 2 ** 53 - 1, ids: 256, ...hello })));
  /** Waits for the first frame of the kind. */
  const frame = async (kind, id = 0) => {
    for (;;) {
      const found = frames.find((frame) => frame.kind === kind && frame.id === id);
      if (found) return found;
      await pause(1);
    }
  };
  /** The first frame of the next conversation of the bare socket's. */
  const opening = (text, flags = 0) => {
    const conversation = receiver.conversations.reserve();
    receiver.conversations.opened(conversation);
    const meta = json({ name: 'x', timeout: 5 });
    const body = Buffer.concat([Buffer.from([0, meta.length]), meta, Buffer.from(text)]);
    return encodeFrame(MESSAGE, body, { id: conversation.id, flags: META | flags });
  };
  return { channel, other, frames, frame, receiver, closed, opening };
}

const message = (value, more) => encodeFrame(MESSAGE, json(value), more);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('both directions, in order, with fragments', options, async (t) => {
  const { channel, other, frames, frame } = await pair(t);
  const large = Buffer.alloc(3 * 1_048_576 + 1, 'x');
  for (let number = 0; number < 10_000; number += 1) {
    channel.send({ number });
    other.write(message({ number }));
  }
  channel.sendBytes(large);
  for (let at = 0; at < large.length; at += 100_000) {
    const isLast = at + 100_000 >= large.length;
    other.write(encodeFrame(BYTES, large.subarray(at, at + 100_000), { flags: isLast ? 0 : MORE }));
  }
  const values = [];
  channel.on('message', (value) => values.push(value));
  const [bytes] = await once(channel, 'bytes');
  assert.ok(bytes.equals(large));
  assert.deepEqual(values, Array.from({ length: 10_000 }, (_, number) => ({ number })));
  channel.disconnect();
  await frame(END);
  const sent = frames.filter(({ kind }) => kind === MESSAGE || kind === BYTES);
  assert.deepEqual(sent.slice(0, -1).map(({ body }) => decodeJSON(body)), values);
  assert.ok(sent.at(-1).body.equals(large));
});

test('what was sent before the end arrives on both sides', options, async (t) => {
  const { channel, other, frames, frame, closed } = await pair(t);
  const values = [];
  channel.on('message', (value) => values.push(value));
  channel.send('last');
  channel.disconnect();
  assert.throws(() => channel.send('late'), { code: 'disconnected' });
  await frame(END);
  other.write(Buffer.concat([message(1), message(2), encodeFrame(END)]));
  await closed;
  assert.deepEqual(values, [1, 2]);
  assert.equal(frames.at(-2).body.toString(), '"last"');
  // The socket was closed, not only ended.
  await channel.flush();
});

test('the end of the other side is answered, where nobody listens for it', options, async (t) => {
  const { other, frame, closed } = await pair(t);
  other.write(encodeFrame(END));
  await frame(END);
  await closed;

  const second = await pair(t);
  second.channel.on('end', () => setTimeout(() => {
    second.channel.send('one more');
    second.channel.disconnect();
  }, 50));
  second.other.write(encodeFrame(END));
  await second.frame(END);
  assert.equal((await second.frame(MESSAGE)).body.toString(), '"one more"');
});

test('what the other side had sent before it closed is read after a write that failed', options, async (t) => {
  const { channel, other, closed } = await pair(t);
  const values = [];
  channel.on('message', (value) => {
    values.push(value);
    if (channel.isConnected) channel.send('x'.repeat(1000));
  });
  // More than one read takes, and no more than the kernel keeps.
  const all = Array.from({ length: 5000 }, (_, number) => message(number));
  other.write(Buffer.concat(all));
  other.destroySoon();
  await closed;
  assert.equal(values.length, all.length);
});

test('an end of the stream without `end` loses what waits, and a begun message is truncated', options, async (t) => {
  const { channel, other } = await pair(t, { hello: { window: WINDOW } });
  channel.sendBytes(Buffer.alloc(1_000_000));
  const flushed = channel.flush();
  other.end();
  await assert.rejects(flushed, { code: 'disconnected' });

  const second = await pair(t);
  second.other.end(Buffer.concat([message(1), encodeFrame(MESSAGE, json('a'), { flags: MORE })]));
  const values = [];
  second.channel.on('message', (value) => values.push(value));
  const [error] = await once(second.channel, 'error');
  assert.equal(error.code, 'truncated');
  assert.deepEqual(values, [1]);
});

test('a bad message, and one with descriptors, are lost alone', options, async (t) => {
  const { channel, other } = await pair(t);
  other.write(encodeFrame(MESSAGE, Buffer.from('[1,]')));
  other.write(encodeFrame(MESSAGE, Buffer.from('1'), { descriptors: 1 }));
  other.write(message(2));
  const lost = [];
  channel.on('lost', (error) => lost.push(error.code));
  const [value] = await once(channel, 'message');
  assert.equal(value, 2);
  assert.deepEqual(lost, ['syntax', 'handlesNotTaken']);
});

test('a mistake is answered with an abort, and an abort is reported', options, async (t) => {
  const { channel, other, frames } = await pair(t);
  other.write(encodeFrame(0x77));
  const [error] = await once(channel, 'error');
  assert.equal(error.code, 'unknownKind');
  await once(other, 'end');
  assert.deepEqual(frames.map((frame) => frame.kind), [HELLO, ABORT]);
  assert.equal(frames[1].reason.code, 'protocolViolation');

  const second = await pair(t);
  second.other.write(encodeFrame(ABORT, encodeJSON({ code: 'x', message: 'why' })));
  const [aborted] = await once(second.channel, 'error');
  assert.equal(aborted.code, 'aborted');
  assert.equal(aborted.reason.code, 'x');
  assert.match(aborted.message, /why/);
  await second.closed;
  assert.deepEqual(second.frames.map(({ kind }) => kind), [HELLO]);
});

test('a hello that is none is answered with the own hello and an abort', options, async (t) => {
  for (const [body, code] of [['{}', 'badHello'], ['{"version":{"major":2,"minor":0}}', 'unsupportedVersion']]) {
    const { channel, other, frames } = await pair(t, { hello: null });
    other.write(encodeFrame(HELLO, Buffer.from(body)));
    const [error] = await once(channel, 'error');
    assert.equal(error.code, code);
    await once(other, 'end');
    assert.deepEqual(frames.map(({ kind }) => kind), [HELLO, ABORT]);
  }
});

test('an abort is the last frame, at the border of one, and what had not been begun is dropped', options, async (t) => {
  const { channel, other, frames, receiver } = await pair(t);
  other.pause();
  for (let number = 0; number < 1000; number += 1) channel.sendBytes(Buffer.alloc(100_000, 'x'));
  other.write(encodeFrame(END, EMPTY, { flags: MORE }));
  const [error] = await once(channel, 'error');
  assert.equal(error.code, 'flagsNotAllowed');
  other.resume();
  await once(other, 'end');
  receiver.end();
  assert.equal(frames.at(-1).kind, ABORT);
  assert.ok(frames.length < 100);
});

test('an abort that the socket does not take is given up after a second', options, async (t) => {
  const { channel, other, closed } = await pair(t);
  other.pause();
  for (let number = 0; number < 100; number += 1) channel.sendBytes(Buffer.alloc(100_000, 'x'));
  // Until the socket is full.
  await pause(200);
  other.write(encodeFrame(END, EMPTY, { flags: MORE }));
  await once(channel, 'error');
  const start = Date.now();
  await closed;
  assert.ok(Date.now() - start > 800 && Date.now() - start < 10_000);
});

test('a listener that throws is not taken for a mistake of the other side', options, async (t) => {
  const { channel, other, frames } = await pair(t);
  const thrown = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  channel.once('message', () => {
    throw new Error('of the program');
  });
  other.write(message(1));
  assert.equal((await thrown).message, 'of the program');
  other.write(message(2));
  assert.equal((await once(channel, 'message'))[0], 2);
  assert.equal(frames.length, 1);
});

test('a message over the limit of the other side is not sent', options, async (t) => {
  const { channel, other, frame } = await pair(t, { hello: null });
  const unsent = once(channel, 'unsent');
  channel.sendBytes(Buffer.alloc(70_001));
  other.write(encodeFrame(HELLO, encodeHello({ limit: 70_000 })));
  assert.equal((await unsent)[0].code, 'messageTooLong');
  channel.sendBytes(new Uint8Array(70_000));
  assert.throws(() => channel.sendBytes(Buffer.alloc(70_001)), { code: 'messageTooLong' });
  assert.equal((await frame(BYTES)).body.length, 70_000);
});

test('a ping is answered, also where nobody takes messages', options, async (t) => {
  const { channel, other, frame, frames } = await pair(t);
  channel[Symbol.asyncIterator]();
  other.write(Buffer.concat([message(1), encodeFrame(PING, Buffer.from('12345678'))]));
  assert.equal((await frame(PONG)).body.toString(), '12345678');
  const pings = [channel.ping(), channel.ping()];
  const { body } = await frame(PING);
  other.write(Buffer.concat([encodeFrame(PONG, Buffer.alloc(8, 9)), encodeFrame(PONG, body), encodeFrame(PONG, body)]));
  await Promise.all(pings);
  assert.equal(frames.filter(({ kind }) => kind === PING).length, 1);
});

// Credit.

test('credit is granted as messages are taken, and nothing is taken before', options, async (t) => {
  const { channel, other, frames, frame } = await pair(t);
  const iterator = channel[Symbol.asyncIterator]();
  const body = Buffer.alloc(WINDOW / 4 - 64, 'x');
  for (let number = 0; number < 4; number += 1) other.write(encodeFrame(BYTES, body));
  other.write(encodeFrame(PING, Buffer.alloc(8)));
  await frame(PONG);
  assert.ok(frames.every(({ kind }) => kind !== CREDIT));
  await iterator.next();
  await iterator.next();
  const credit = await frame(CREDIT);
  assert.equal(credit.limit, WINDOW + WINDOW / 2);
  // Nothing of it is granted twice.
  await iterator.next();
  other.write(encodeFrame(PING, Buffer.alloc(8, 1)));
  while (frames.filter(({ kind }) => kind === PONG).length < 2) await new Promise(setImmediate);
  assert.equal(frames.filter(({ kind }) => kind === CREDIT).length, 1);
});

test('a window that is used up with messages that nobody takes is the sender\'s mistake', options, async (t) => {
  const { channel, other, closed } = await pair(t);
  const iterator = channel[Symbol.asyncIterator]();
  for (let number = 0; number < 3; number += 1) other.write(encodeFrame(BYTES, Buffer.alloc(WINDOW / 2)));
  await closed;
  assert.equal((await iterator.next()).value.kind, 'bytes');
  await iterator.next();
  await assert.rejects(iterator.next(), { code: 'overCredit' });
  assert.equal((await iterator.next()).done, true);
});

test('a message longer than the window arrives once somebody waits for it', options, async (t) => {
  for (const isIteration of [true, false]) {
    const { channel, other, frames } = await pair(t);
    let next = null;
    const taken = new Promise((resolve) => {
      if (isIteration) next = () => channel[Symbol.asyncIterator]().next().then(({ value }) => resolve(value.value));
      else channel.on('bytes', resolve);
    });
    if (isIteration) channel[Symbol.asyncIterator]();
    // This sender keeps to the credit that it has.
    let [limit, offset] = [WINDOW, 0];
    const count = 8;
    for (let number = 0; number < count; number += 1) {
      while (offset >= limit) {
        next?.();
        next = null;
        await new Promise(setImmediate);
        for (const frame of frames) if (frame.kind === CREDIT) limit = Math.max(limit, frame.limit);
      }
      other.write(encodeFrame(BYTES, Buffer.alloc(200_000), { flags: number < count - 1 ? MORE : 0 }));
      offset += 200_064;
    }
    next?.();
    assert.equal((await taken).length, count * 200_000);
    await pause(20);
    const granted = frames.filter(({ kind }) => kind === CREDIT).map((frame) => frame.limit);
    // Nothing counts twice.
    assert.ok(granted.length > 0 && granted.every((limit) => limit <= offset + WINDOW));
  }
});

test('the highest id rises when a conversation is over here, too', options, async (t) => {
  const { channel, other, frames, frame, opening } = await pair(t, { ids: 1 });
  const items = [];
  channel.on('conversation', (item) => items.push(item));
  other.write(Buffer.concat([opening('1'), encodeFrame(CANCEL, EMPTY, { id: 2 })]));
  while (items.length < 2) await new Promise(setImmediate);
  assert.deepEqual(items.map(({ kind }) => kind), ['message', 'cancel']);
  other.write(encodeFrame(PING, Buffer.alloc(8)));
  await frame(PONG);
  assert.ok(frames.every(({ kind }) => kind !== CREDIT));
  // Nobody gets the answer, but it says that the work is done.
  channel.reply(2, 'late');
  assert.equal((await frame(CREDIT)).highest, 4);
  other.write(opening('1'));
  while (items.length < 3) await new Promise(setImmediate);
  other.write(opening('1'));
  const [error] = await once(channel, 'error');
  assert.equal(error.code, 'tooManyIds');
});

// Conversations.

test('a conversation is answered, with its name and with more', options, async (t) => {
  const { channel, other, frames, frame, opening } = await pair(t, { isChild: true, ids: 10 });
  channel.on('conversation', ({ kind, id, name, timeout, isOpening, value, more }) => {
    assert.deepEqual([kind, name, timeout, isOpening], ['message', 'x', 5, true]);
    channel.reply(id, { value, more }, { more: true });
    channel.replyBytes(id, Buffer.from('bytes'), { more: true, name: 'y' });
    channel.end(id);
    assert.throws(() => channel.reply(id, 1), { code: 'afterEnd' });
  });
  other.write(opening('[1]', OPEN));
  await frame(END, 1);
  const [first, second] = frames.filter(({ id, kind }) => id === 1 && kind !== END);
  assert.deepEqual([decodeJSON(first.body), first.more], [{ value: [1], more: true }, true]);
  assert.deepEqual([second.body.toString(), second.more, second.meta.name], ['bytes', true, 'y']);
  assert.throws(() => channel.reply(3, 1), { code: 'idNotOpened' });
  assert.throws(() => channel.reply(0, 1), { code: 'idNotOpened' });
});

test('a parent asks, a child echoes, and whoever leaves the loop gives it up', options, async () => {
  const { channel, process: child } = fork(process.execPath, [path.join(here, 'peer.mjs')]);
  const id = channel.open({ first: 1 }, { name: 'echo', more: true });
  channel.reply(id, 'second', { more: true });
  channel.replyBytes(id, Buffer.alloc(1_000_000, 'x'));
  const answers = [];
  for await (const answer of channel.answers(id)) answers.push(answer);
  const [first, second] = answers.map(({ value, more }) => [value, more]);
  assert.deepEqual([first, second], [[{ first: 1 }, true], ['second', true]]);
  assert.equal(answers[2].value.length, 1_000_000);

  // More than may be open at once.
  const all = Array.from({ length: 1000 }, (_, number) => channel.answers(channel.open(number, { name: 'echo' })));
  const values = [];
  for (const answers of all) for await (const { value } of answers) values.push(value);
  assert.deepEqual(values, Array.from({ length: 1000 }, (_, number) => number));
  // Each is given up after its first answer.
  for (let number = 0; number < 600; number += 1) {
    for await (const { value } of channel.answers(channel.open(number, { name: 'echo', more: true }))) {
      values.push(value);
      break;
    }
  }
  assert.equal(values.length, 1600);
  channel.disconnect();
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
});

test('a failure, a cancel and an end of the channel are thrown where answers are awaited', options, async (t) => {
  const { channel, other } = await pair(t);
  const all = async (id) => {
    const values = [];
    for await (const { value } of channel.answers(id)) values.push(value);
    return values;
  };
  const [failed, cancelled, ended, over, closed] = Array.from({ length: 5 }, () => channel.open(1, { name: 'x' }));
  const results = [failed, cancelled, ended, over, closed].map(all);
  await channel.flush();
  other.write(Buffer.concat([
    message(1, { id: failed, flags: OPEN }), encodeFrame(FAILURE, json({ code: 'a', message: 'why' }), { id: failed }),
    encodeFrame(CANCEL, EMPTY, { id: cancelled }),
    message(2, { id: ended, flags: OPEN }), encodeFrame(END, EMPTY, { id: ended }),
    message(3, { id: closed }),
    encodeFrame(END),
  ]));
  await assert.rejects(results[0], { code: 'failed', message: /why/ });
  await assert.rejects(results[1], { code: 'cancelled' });
  assert.deepEqual(await results[2], [2]);
  await assert.rejects(results[3], { code: 'disconnected' });
  assert.deepEqual(await results[4], [3]);
  assert.throws(() => channel.open(1, { name: 'x' }), { code: 'disconnected' });
});

test('answers that an iteration has not taken go to whoever asks for them', options, async (t) => {
  const { channel, other, frame } = await pair(t);
  const iterator = channel[Symbol.asyncIterator]();
  const id = channel.open(1, { name: 'x' });
  await channel.flush();
  other.write(Buffer.concat([message(1, { id, flags: OPEN }), message('plain'), encodeFrame(PING, Buffer.alloc(8))]));
  await frame(PONG);
  const answers = channel.answers(id);
  other.write(message(2, { id }));
  const values = [];
  for await (const { value } of answers) values.push(value);
  assert.deepEqual(values, [1, 2]);
  assert.equal((await iterator.next()).value.value, 'plain');
});

test('a message that is lost in a conversation fails it', options, async (t) => {
  const { channel, other, frame, opening } = await pair(t, { ids: 2 });
  const items = [];
  channel.on('conversation', (item) => items.push(item));
  other.write(opening('['));
  assert.equal((await frame(FAILURE, 2)).reason.code, 'syntax');
  assert.deepEqual(items.map(({ kind, error }) => [kind, error.code]), [['lost', 'syntax']]);
  assert.equal((await frame(CREDIT)).highest, 6);
});

test('a hello that the other side would refuse is refused', () => {
  for (const options of [{ limit: 65_535 }, { window: 262_143 }, { ids: -1 }, { limit: 2 ** 53 }]) {
    assert.throws(() => new Channel(new net.Socket(), options), { code: 'badHello' });
  }
});

test('a conversation that nobody takes fails', options, async (t) => {
  const { other, frame, opening } = await pair(t, { ids: 2 });
  other.write(opening('1'));
  assert.equal((await frame(FAILURE, 2)).reason.code, 'notTaken');
});

test('conversations go on after a disconnect, and after the other side\'s end', options, async (t) => {
  const { channel, other, frames, frame, opening } = await pair(t, { ids: 2 });
  const opened = once(channel, 'conversation');
  other.write(opening('1'));
  const [{ id }] = await opened;
  const asked = channel.open(1, { name: 'x' });
  channel.disconnect();
  assert.throws(() => channel.open(1, { name: 'x' }), { code: 'disconnected' });
  other.write(Buffer.concat([message('answer', { id: asked }), encodeFrame(END)]));
  for await (const { value } of channel.answers(asked)) assert.equal(value, 'answer');
  assert.ok(frames.every(({ kind }) => kind !== END));
  channel.reply(id, 'at last');
  await frame(END);
  assert.equal((await frame(MESSAGE, 2)).body.toString(), '"at last"');
});

test('an iteration gives all that came before the end, and then the channel ends', options, async (t) => {
  const { channel, other, frame, opening } = await pair(t, { ids: 2 });
  const iterator = channel[Symbol.asyncIterator]();
  const bytes = encodeFrame(BYTES, Buffer.from('3'));
  other.write(Buffer.concat([message(1), opening('"two"', OPEN), bytes, encodeFrame(END)]));
  const items = [];
  for (let item = await iterator.next(); !item.done; item = await iterator.next()) items.push(item.value);
  assert.deepEqual(items.map(({ kind, id, more }) => [kind, id, more]),
    [['message', 0, false], ['message', 2, true], ['bytes', 0, false], ['over', 2, false]]);
  await frame(END);
});

test('a conversation that is opened after this side\'s end is over at once', options, async (t) => {
  const { channel, other, frame, frames, opening, closed } = await pair(t, { ids: 2 });
  channel.on('conversation', () => assert.fail('it was given'));
  channel.disconnect();
  await frame(END);
  other.write(Buffer.concat([opening('1', OPEN), encodeFrame(PING, Buffer.alloc(8))]));
  await frame(PONG);
  other.write(encodeFrame(END));
  await closed;
  assert.ok(frames.every(({ id }) => id === 0));
});

// Children.

test('a child echoes, hides the variable, and ends with its parent', options, async () => {
  const { channel, process: child } = fork(process.execPath, [path.join(here, 'peer.mjs')]);
  const values = [];
  channel.on('message', (value) => values.push(value));
  channel.send(['one', 2n ** 60n]);
  channel.send({ $ask: 'environment' });
  channel.disconnect();
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
  assert.deepEqual(values, [['one', 2n ** 60n], { environment: null }]);
});

test('a child that flushes before it exits loses nothing', options, async () => {
  const { channel, process: child } = fork(process.execPath, [path.join(here, 'peer.mjs')]);
  let count = 0;
  channel.on('message', (value) => assert.equal(value, count++));
  channel.send({ $ask: 'farewell', count: 100_000 });
  await once(channel, 'disconnect');
  assert.equal(count, 100_000);
  if (child.exitCode === null) await once(child, 'exit');
  assert.equal(child.exitCode, 0);
});

/** The arguments for a child that runs the script, which has `connect`. */
const script = (text) => {
  const start = `import { connect } from ${JSON.stringify(path.join(here, 'swift_fork.mjs'))};`;
  return ['--input-type=module', '--eval', start + text];
};

test('both variables are gone once a child has its channel, and its own limit may be less', options, async () => {
  const send = 'connect({ limit: 70_000 }).send(Object.keys(process.env).filter((name) => /^SWIFT_FORK/.test(name)))';
  for (const [childLimit, expected] of [[80_000, 70_000], [66_000, 66_000]]) {
    const { channel, process: child } = fork(process.execPath, script(send), { childLimit });
    assert.deepEqual((await once(channel, 'message'))[0], []);
    assert.equal(channel.peer.limit, expected);
    channel.disconnect();
    await once(child, 'exit');
  }
});

test('a variable that names no Unix stream socket gives no channel', options, async () => {
  for (const name of ['', 'x', '-1', '3x', '0', '77777']) {
    const env = { ...process.env, SWIFT_FORK_CHANNEL_FD: name };
    const text = 'process.exitCode = connect() === null && !("SWIFT_FORK_CHANNEL_FD" in process.env) ? 0 : 1';
    const child = spawn(process.execPath, script(text), { env, stdio: 'ignore' });
    assert.deepEqual(await once(child, 'exit'), [0, null], name);
  }
});

test('a child announces the limit that its parent asks for, and no other', options, async () => {
  const cases = [[undefined, 67_108_864], [65_536, 65_536], [2 ** 53 - 1, 2 ** 53 - 1], [65_535, 67_108_864]];
  cases.push(['1e6', 67_108_864], ['', 67_108_864], ['9007199254740992', 67_108_864]);
  for (const [childLimit, expected] of cases) {
    const { channel, process: child } = fork(process.execPath, [path.join(here, 'peer.mjs')], { childLimit });
    channel.send(1);
    await once(channel, 'message');
    assert.equal(channel.peer.limit, expected, `${LIMIT_VARIABLE}=${childLimit}`);
    channel.disconnect();
    await once(child, 'exit');
  }
});
