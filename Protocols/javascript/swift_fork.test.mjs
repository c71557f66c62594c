// Tests of swift_fork.mjs: every vector, and what goes over real sockets.
//
//     node --test Protocols/javascript/swift_fork.test.mjs

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  ABORT, BYTES, Channel, DEFAULT_LIMIT, FrameReader, HELLO, MESSAGE, decodeJSON, encodeHello, encodeJSON, fork, frames,
} from './swift_fork.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const vectors = JSON.parse(fs.readFileSync(path.join(here, '../vectors/native-v1.json'), 'utf8'));
const kinds = { hello: HELLO, abort: ABORT, message: MESSAGE, bytes: BYTES };
const options = { timeout: 60_000 };

const unhex = (digits) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const joined = (parts) =>
  Buffer.concat(parts.flatMap(({ hex, repeat = 1 }) => Array.from({ length: repeat }, () => unhex(hex))));
const bodyOf = ({ body, bodyHex, bodyParts, parts }) => {
  if (body !== undefined) return Buffer.from(body);
  return bodyHex !== undefined ? unhex(bodyHex) : joined(bodyParts ?? parts);
};
const encoded = (kind, body) => Buffer.concat([...frames(kind, body)]);

function read(pieces, limit) {
  const reader = new FrameReader(limit);
  const got = [];
  try {
    for (const piece of pieces) {
      for (const { kind, body, descriptors } of reader.feed(piece)) got.push([kind, body.toString('hex'), descriptors]);
    }
  } catch (error) {
    return { frames: got, error: error.code, atEnd: undefined };
  }
  try {
    reader.end();
  } catch (error) {
    return { frames: got, error: undefined, atEnd: error.code };
  }
  return { frames: got, error: undefined, atEnd: undefined };
}

test('a stream that comes at once, byte by byte, or cut in two gives the same frames', options, () => {
  for (const vector of vectors.streams) {
    const data = vector.parts ? joined(vector.parts) : unhex(vector.hex);
    const expected = {
      frames: vector.frames.map((frame) => [kinds[frame.kind], bodyOf(frame).toString('hex'), frame.descriptors ?? 0]),
      error: vector.error,
      atEnd: vector.atEnd,
    };
    const limit = vector.limit ?? DEFAULT_LIMIT;
    assert.deepEqual(read([data], limit), expected, vector.name);
    const single = Array.from({ length: data.length }, (_, at) => data.subarray(at, at + 1));
    assert.deepEqual(read(single, limit), expected, `${vector.name}, byte by byte`);
    // Long streams are cut at some places only.
    for (let at = 0; at < data.length; at += Math.max(1, Math.floor(data.length / 300))) {
      const halves = [data.subarray(0, at), data.subarray(at)];
      assert.deepEqual(read(halves, limit), expected, `${vector.name}, cut at ${at}`);
    }
  }
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

/** A channel, and the bare socket at its other end, which has sent a hello. */
async function pair(t, options) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fork-'));
  const server = net.createServer({ allowHalfOpen: true }).listen(path.join(directory, 'socket'));
  const other = net.connect({ path: path.join(directory, 'socket'), allowHalfOpen: true });
  const [socket] = await once(server, 'connection');
  server.close();
  fs.rmSync(directory, { recursive: true });
  t.after(() => [socket, other].forEach((end) => end.destroy()));
  const channel = new Channel(socket, options);
  const frames = [];
  const reader = new FrameReader();
  other.on('data', (bytes) => frames.push(...reader.feed(bytes)));
  other.on('error', () => {});
  other.write(encoded(HELLO, encodeHello(2000)));
  return { channel, other, frames };
}

test('both directions, in order, with fragments', options, async (t) => {
  const { channel, other, frames } = await pair(t);
  const large = Buffer.alloc(3 * 1_048_576 + 1, 'x');
  for (let number = 0; number < 10_000; number += 1) {
    channel.send({ number });
    other.write(encoded(MESSAGE, encodeJSON({ number })));
  }
  channel.sendBytes(large);
  other.write(encoded(BYTES, large));
  const values = [];
  channel.on('message', (value) => values.push(value));
  const [bytes] = await once(channel, 'bytes');
  assert.ok(bytes.equals(large));
  assert.deepEqual(values, Array.from({ length: 10_000 }, (_, number) => ({ number })));
  channel.disconnect();
  await once(other, 'end');
  assert.deepEqual(frames.slice(1, -1).map((frame) => decodeJSON(frame.body)), values);
  assert.ok(frames.at(-1).body.equals(large));
});

test('what was sent before the end arrives on both sides', options, async (t) => {
  const { channel, other, frames } = await pair(t);
  const values = [];
  channel.on('message', (value) => values.push(value));
  channel.send('last');
  channel.disconnect();
  assert.throws(() => channel.send('late'), { code: 'disconnected' });
  await once(other, 'end');
  other.end(Buffer.concat([encoded(MESSAGE, Buffer.from('1')), encoded(MESSAGE, Buffer.from('2'))]));
  await once(channel, 'disconnect');
  assert.deepEqual(values, [1, 2]);
  assert.equal(frames.at(-1).body.toString(), '"last"');
});

test('what the other side had sent before it closed is read after a write that failed', options, async (t) => {
  const { channel, other } = await pair(t);
  const values = [];
  channel.on('message', (value) => {
    values.push(value);
    if (channel.isConnected) channel.send('x'.repeat(1000));
  });
  // More than one read takes, and no more than the kernel keeps.
  const all = Array.from({ length: 10_000 }, (_, number) => encoded(MESSAGE, encodeJSON(number)));
  other.write(Buffer.concat(all));
  other.destroySoon();
  await once(channel, 'disconnect');
  assert.equal(values.length, all.length);
});

test('a bad message, and one with descriptors, are lost alone', options, async (t) => {
  const { channel, other } = await pair(t);
  const withDescriptors = encoded(MESSAGE, Buffer.from('1'));
  withDescriptors[7] = 1;
  other.write(encoded(MESSAGE, Buffer.from('[1,]')));
  other.write(withDescriptors);
  other.write(encoded(MESSAGE, Buffer.from('2')));
  const lost = [];
  channel.on('lost', (error) => lost.push(error.code));
  assert.deepEqual(await once(channel, 'message'), [2]);
  assert.deepEqual(lost, ['syntax', 'handlesNotTaken']);
});

test('a mistake is answered with an abort, and an abort is reported', options, async (t) => {
  const { channel, other, frames } = await pair(t);
  other.write(unhex('00000004 77 00 0000'));
  const [error] = await once(channel, 'error');
  assert.equal(error.code, 'unknownKind');
  await once(other, 'end');
  assert.deepEqual(frames.map((frame) => frame.kind), [HELLO, ABORT]);
  assert.equal(decodeJSON(frames[1].body).code, 'protocolViolation');

  const second = await pair(t);
  second.other.write(encoded(ABORT, encodeJSON({ code: 'x', message: 'why' })));
  const [aborted] = await once(second.channel, 'error');
  assert.match(aborted.message, /why/);
});

test('a listener that throws is not taken for a mistake of the other side', options, async (t) => {
  const { channel, other, frames } = await pair(t);
  const thrown = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  channel.once('message', () => {
    throw new Error('of the program');
  });
  other.write(encoded(MESSAGE, Buffer.from('1')));
  assert.equal((await thrown).message, 'of the program');
  other.write(encoded(MESSAGE, Buffer.from('2')));
  assert.deepEqual(await once(channel, 'message'), [2]);
  assert.equal(frames.length, 1);
});

test('a message over the limit of the other side is not sent', options, async (t) => {
  const { channel, other } = await pair(t);
  other.write(encoded(MESSAGE, Buffer.from('1')));
  await once(channel, 'message');
  channel.sendBytes(Buffer.alloc(2000));
  assert.throws(() => channel.sendBytes(Buffer.alloc(2001)), { code: 'messageTooLong' });
});

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
