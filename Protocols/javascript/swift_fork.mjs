// A peer for the native dialect, version 1: what ../native-v1.md says, on Node's standard library alone.
//
// A child:
//
//     const channel = connect();
//     channel.on('message', (value) => channel.send({ echo: value }));
//
// A parent:
//
//     const { channel } = fork('./child');
//     channel.on('message', (value) => { console.log(value); channel.disconnect(); });
//     channel.send('Hello');
//
// Node's standard library can't receive descriptors on a socket that it did not set up itself, so this peer leaves that
// feature out.

import { constants } from 'node:buffer';
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';

export const VARIABLE = 'SWIFT_FORK_CHANNEL_FD';
export const DEFAULT_LIMIT = 67_108_864;
const VERSION = { major: 1, minor: 0 };
const CONTROL_LIMIT = 65_536;
const FRAGMENT = 1_048_576;
const MOST_DESCRIPTORS = 253;
const MOST_LEVELS = 512;

export const HELLO = 0x01;
export const ABORT = 0x02;
export const MESSAGE = 0x10;
export const BYTES = 0x11;
const MORE = 0x01;

/** An error with a name from the specification, or one of `disconnected`, `aborted`, `messageTooLong`, as `code`. */
export class ForkError extends Error {
  constructor(code, explanation) {
    super(`${explanation} (${code})`);
    this.code = code;
  }
}

// JSON, section 8. JSON.parse keeps the last of two equal keys, makes doubles of all numbers, and takes halves of
// surrogate pairs, so there is a parser here.

const SMALLEST = -(2n ** 63n);
const LARGEST = 2n ** 64n - 1n;
const ESCAPES = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const LITERALS = { t: ['true', true], f: ['false', false], n: ['null', null] };
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const HEX = /[0-9a-fA-F]{4}/y;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The value of a JSON text. Integers that a number can't hold for certain, those beyond ±(2^53 - 1), become a BigInt;
 * all other numbers are numbers.
 */
export function decodeJSON(body) {
  if (body.length > constants.MAX_STRING_LENGTH) {
    throw new ForkError('tooLong', 'the text is longer than a string may be');
  }
  let text;
  try {
    // A byte order mark is kept, and is a mistake then.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new ForkError('invalidUTF8', 'the text is not UTF-8');
  }
  return new Parser(text).parse();
}

class Parser {
  #text;
  #at = 0;
  #level = 0;

  constructor(text) {
    this.#text = text;
  }

  parse() {
    this.#take(SPACE);
    const value = this.#value();
    this.#take(SPACE);
    if (this.#at < this.#text.length) this.#fail();
    return value;
  }

  #value() {
    const first = this.#text[this.#at];
    if (first === '{') return this.#nested(() => this.#object());
    if (first === '[') return this.#nested(() => this.#array());
    if (first === '"') return this.#string();
    const literal = LITERALS[first];
    if (!literal) return this.#number();
    if (!this.#text.startsWith(literal[0], this.#at)) this.#fail();
    this.#at += literal[0].length;
    return literal[1];
  }

  #nested(read) {
    this.#level += 1;
    if (this.#level > MOST_LEVELS) {
      throw new ForkError('tooDeep', `there are more than ${MOST_LEVELS} arrays and objects in each other`);
    }
    this.#at += 1;
    this.#take(SPACE);
    const value = read();
    this.#level -= 1;
    return value;
  }

  #array() {
    const array = [];
    if (this.#skip(']')) return array;
    do {
      this.#take(SPACE);
      array.push(this.#value());
      this.#take(SPACE);
    } while (this.#skip(','));
    if (!this.#skip(']')) this.#fail();
    return array;
  }

  #object() {
    const object = {};
    if (this.#skip('}')) return object;
    do {
      this.#take(SPACE);
      if (this.#text[this.#at] !== '"') this.#fail();
      const key = this.#string();
      this.#take(SPACE);
      if (!this.#skip(':')) this.#fail();
      this.#take(SPACE);
      const value = this.#value();
      if (Object.hasOwn(object, key)) throw new ForkError('duplicateKey', 'an object has the same key twice');
      // An assignment to "__proto__" would do something else.
      Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      this.#take(SPACE);
    } while (this.#skip(','));
    if (!this.#skip('}')) this.#fail();
    return object;
  }

  #string() {
    let string = '';
    let hasSurrogate = false;
    this.#at += 1;
    for (;;) {
      string += this.#take(PLAIN)[0];
      if (this.#skip('"')) break;
      if (!this.#skip('\\')) this.#fail();
      const escape = this.#text[this.#at++];
      if (escape === 'u') {
        const unit = parseInt((this.#take(HEX) ?? this.#fail())[0], 16);
        hasSurrogate ||= unit >= 0xd800 && unit <= 0xdfff;
        string += String.fromCharCode(unit);
      } else {
        string += ESCAPES[escape] ?? this.#fail();
      }
    }
    if (hasSurrogate && LONE_SURROGATE.test(string)) {
      throw new ForkError('loneSurrogate', 'an escape is half a surrogate pair');
    }
    return string;
  }

  #number() {
    const match = this.#take(NUMBER) ?? this.#fail();
    const [literal, fraction, exponent] = match;
    const number = Number(literal);
    const isZero = !/[1-9]/.test(literal.split(/e/i)[0]);
    if (!Number.isFinite(number) || (number === 0 && !isZero)) this.#failNumber(literal);
    if (fraction !== undefined || exponent !== undefined || isZero || Number.isSafeInteger(number)) return number;
    const integer = BigInt(literal);
    if (integer >= SMALLEST && integer <= LARGEST) return integer;
    // Beyond, only what a double is written as.
    if (integer !== shortestForm(number)) this.#failNumber(literal);
    return number;
  }

  #take(pattern) {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match) this.#at = pattern.lastIndex;
    return match;
  }

  #skip(character) {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #fail() {
    throw new ForkError('syntax', `the text is not JSON at character ${this.#at}`);
  }

  #failNumber(literal) {
    throw new ForkError('numberOutOfRange', `${literal.slice(0, 40)} would become another number`);
  }
}

/** The integer that the shortest decimal form of a large number says. */
function shortestForm(number) {
  const [digits, exponent] = number.toExponential().split('e');
  const [integer, fraction = ''] = digits.split('.');
  return BigInt((integer + fraction).padEnd(integer.length + Number(exponent), '0'));
}

/**
 * The JSON text of a value, as a buffer. As JSON.stringify does it, members that are `undefined` are left out and
 * `toJSON` is called; whatever else JSON.stringify leaves out or makes into something else is refused.
 */
export function encodeJSON(value) {
  const text = textOf(value, '', 0);
  if (LONE_SURROGATE.test(text)) throw new ForkError('loneSurrogate', 'a string has half a surrogate pair');
  return Buffer.from(text);
}

function textOf(value, key, level) {
  if (typeof value?.toJSON === 'function') value = value.toJSON(key);
  switch (typeof value) {
    case 'string':
      // JSON.stringify would escape half a pair; this way it is seen.
      return '"' + value.replace(/["\\\u0000-\u001f]/g, (character) => JSON.stringify(character).slice(1, -1)) + '"';
    case 'boolean':
      return String(value);
    case 'number':
      return textOfNumber(value);
    case 'bigint':
      if (value >= SMALLEST && value <= LARGEST) return String(value);
      throw new ForkError('numberOutOfRange', 'a BigInt is beyond 64 bits');
    case 'object':
      return value === null ? 'null' : textOfObject(value, level + 1);
    default:
      throw new ForkError('syntax', `${typeof value} has no JSON form`);
  }
}

function textOfNumber(value) {
  if (!Number.isFinite(value)) throw new ForkError('numberOutOfRange', `${value} has no JSON form`);
  if (Object.is(value, -0)) return '-0';
  // The digits of such an integer are not all its own: 2 ** 63 is written 9223372036854776000, and who reads integers
  // exactly would get another number. With an exponent it is read as a double.
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return value.toExponential();
  return String(value);
}

function textOfObject(value, level) {
  if (level > MOST_LEVELS) {
    throw new ForkError('tooDeep', `there are more than ${MOST_LEVELS} arrays and objects in each other`);
  }
  // Array.from makes holes undefined, which is refused then.
  if (Array.isArray(value)) return '[' + Array.from(value, (item, at) => textOf(item, String(at), level)).join() + ']';
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw new ForkError('syntax', `a ${prototype.constructor?.name} has no JSON form`);
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return '{' + members.map(([key, member]) => textOf(key, '', 0) + ':' + textOf(member, key, level)).join() + '}';
}

// Frames, sections 2 to 5.

/** Bytes in, frames out. It knows no socket. */
export class FrameReader {
  limit;
  #header = Buffer.alloc(8);
  #headerCount = 0;
  /** The frame whose body is awaited, and how many bytes of it are to come. */
  #frame = null;
  #missing = 0;
  /** The message whose fragments are coming. */
  #message = null;
  #hasHello = false;

  constructor(limit = DEFAULT_LIMIT) {
    this.limit = limit;
  }

  /** Gives the frames that are whole with these bytes, one after the other: `kind`, `body`, `descriptors`, `hello`. */
  *feed(bytes) {
    while (bytes.length > 0 || (this.#frame && this.#missing === 0)) {
      if (!this.#frame) {
        bytes = this.#readHeader(bytes);
        if (!this.#frame) continue;
      }
      const piece = bytes.subarray(0, this.#missing);
      bytes = bytes.subarray(piece.length);
      this.#missing -= piece.length;
      this.#frame.pieces.push(piece);
      this.#frame.length += piece.length;
      if (this.#missing > 0) return;
      const frame = this.#frame;
      this.#frame = null;
      if (frame.hasMore) continue;
      if (frame === this.#message) this.#message = null;
      const body = Buffer.concat(frame.pieces);
      const hello = frame.kind === HELLO ? decodeHello(body) : null;
      if (hello) this.#hasHello = true;
      yield { kind: frame.kind, body, descriptors: frame.descriptors, hello };
    }
  }

  /** The stream has ended. */
  end() {
    if (this.#headerCount > 0 || this.#frame || this.#message) {
      throw new ForkError('truncated', 'the stream ended inside a frame or a message');
    }
  }

  /** Takes bytes of a header, and gives back those after it. The order of the checks is the specification's. */
  #readHeader(bytes) {
    const count = Math.min(bytes.length, 8 - this.#headerCount);
    bytes.copy(this.#header, this.#headerCount, 0, count);
    this.#headerCount += count;
    if (this.#headerCount >= 4) this.#checkLength();
    if (this.#headerCount === 8) {
      this.#headerCount = 0;
      this.#begin();
    }
    return bytes.subarray(count);
  }

  get #length() {
    return this.#header.readUInt32BE(0) - 4;
  }

  #checkLength() {
    if (this.#length < 0) throw new ForkError('lengthTooSmall', `a frame has the length ${this.#length + 4}`);
    if (this.#length > Math.max(this.limit, CONTROL_LIMIT)) {
      throw new ForkError('tooLong', `a frame of ${this.#length} bytes`);
    }
  }

  #begin() {
    const [length, kind, flags] = [this.#length, this.#header[4], this.#header[5]];
    const descriptors = this.#header.readUInt16BE(6);
    const isControl = kind === HELLO || kind === ABORT;
    if (!isControl && kind !== MESSAGE && kind !== BYTES) {
      throw new ForkError('unknownKind', `a frame has the kind ${kind}`);
    }
    if (flags & ~MORE) throw new ForkError('unknownFlags', `a frame has the flags ${flags}`);
    if (this.#hasHello && kind === HELLO) throw new ForkError('repeatedHello', 'there is a second hello');
    if (!this.#hasHello && kind !== HELLO) throw new ForkError('noHello', 'the first frame is not a hello');
    if (isControl) checkControl(length, flags, descriptors);
    else this.#checkMessage(length, kind, descriptors);
    const frame = (!isControl && this.#message) || { kind, descriptors, pieces: [], length: 0 };
    frame.hasMore = (flags & MORE) !== 0;
    if (!isControl) this.#message = frame;
    this.#frame = frame;
    this.#missing = length;
  }

  #checkMessage(length, kind, descriptors) {
    const begun = this.#message;
    if (begun && begun.kind !== kind) {
      throw new ForkError('interruptedMessage', 'a message begins before the one before it has ended');
    }
    if (length + (begun?.length ?? 0) > this.limit) {
      throw new ForkError('tooLong', `a message of more than ${this.limit} bytes`);
    }
    if (descriptors > (begun ? 0 : MOST_DESCRIPTORS)) {
      throw new ForkError('handlesDoNotMatch', `a frame announces ${descriptors} descriptors`);
    }
  }
}

function checkControl(length, flags, descriptors) {
  if (flags & MORE) throw new ForkError('fragmentedControl', 'a control frame is marked as a fragment');
  if (length > CONTROL_LIMIT) throw new ForkError('tooLong', `a control frame of ${length} bytes`);
  if (descriptors > 0) throw new ForkError('handlesDoNotMatch', 'a control frame announces descriptors');
}

function decodeHello(body) {
  let hello;
  try {
    hello = decodeJSON(body);
  } catch (error) {
    throw new ForkError('badHello', `the hello is not JSON: ${error.message}`);
  }
  const { major, minor } = hello?.version ?? {};
  const isInteger = (value) => Number.isInteger(value) || typeof value === 'bigint';
  if (!isInteger(major) || !isInteger(minor)) throw new ForkError('badHello', 'the hello has no version');
  // Whatever else another version has in its hello, it need not look like this one's.
  if (major !== VERSION.major) throw new ForkError('unsupportedVersion', `the other side speaks version ${major}`);
  const [features, limit] = [hello.features, hello.limits?.message];
  if (!Array.isArray(features) || !features.every((feature) => typeof feature === 'string')) {
    throw new ForkError('badHello', "the hello's features are not a list of strings");
  }
  if (!isInteger(limit) || limit < 1024) throw new ForkError('badHello', "the hello's limit is none");
  return { minor: Number(minor), features, limit: Number(limit) };
}

/** The frames of a message or of a control frame, as buffers to be written one after the other. */
export function* frames(kind, body) {
  for (let start = 0; start === 0 || start < body.length; start += FRAGMENT) {
    const piece = body.subarray(start, start + FRAGMENT);
    const header = Buffer.alloc(8);
    header.writeUInt32BE(4 + piece.length, 0);
    header[4] = kind;
    header[5] = start + FRAGMENT < body.length ? MORE : 0;
    yield header;
    yield piece;
  }
}

export function encodeHello(limit, features = []) {
  return encodeJSON({ version: VERSION, features, limits: { message: limit } });
}

// The channel.

/**
 * One side of a channel over a `net.Socket`, which it owns. Events:
 *
 * - `message` with a value, `bytes` with a buffer;
 * - `lost` with an error: one message can't be had, and the next ones come;
 * - `error`: the channel has ended by a mistake of the other side, or of this one (`aborted`);
 * - `disconnect`: the channel has closed. Nothing comes after it.
 */
export class Channel extends EventEmitter {
  /** What the other side's hello says, once it has been read. */
  peer = null;
  #socket;
  #reader;
  #isChild;
  /** What was sent before the hello could be. */
  #waiting = [];
  #canSend = true;
  #hasFailed = false;
  #hasEnded = false;
  #isClosed = false;

  constructor(socket, { limit = DEFAULT_LIMIT, isChild = false } = {}) {
    super();
    this.#socket = socket;
    this.#reader = new FrameReader(limit);
    this.#isChild = isChild;
    keepReadingAfterFailedWrites(socket, () => {
      this.#canSend = false;
      this.#hasFailed = true;
    });
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('end', () => this.#end());
    // ECONNRESET: the other side closed without reading all. This comes after its last byte.
    socket.on('error', () => this.#end());
    socket.on('close', () => {
      this.#canSend = false;
      this.#isClosed = true;
      this.emit('disconnect');
    });
    // A child reads as much as its parent does, where the parent's hello is there already. Then the next turn of the
    // loop reads it, and the end of that turn is the second immediate: the first may come in this one.
    if (isChild) setImmediate(() => setImmediate(() => this.#sendHello()));
    else this.#sendHello();
  }

  get isConnected() {
    return this.#canSend;
  }

  /** Sends a value as JSON. False: accepted, but more waits to be written than is wise; see `flush`. */
  send(value) {
    return this.#send(MESSAGE, encodeJSON(value));
  }

  /** Sends bytes as they are. The buffer must not be changed before they have been written. */
  sendBytes(bytes) {
    return this.#send(BYTES, bytes);
  }

  #send(kind, body) {
    if (!this.#canSend) throw new ForkError('disconnected', 'either side has ended its direction');
    // Until the other's hello has been read, its limit is taken to be the same as this side's.
    const limit = this.peer?.limit ?? this.#reader.limit;
    if (body.length > limit) {
      throw new ForkError('messageTooLong', `the message has ${body.length} bytes, and ${limit} are read`);
    }
    return this.#write(frames(kind, body));
  }

  #write(pieces) {
    if (this.#waiting) {
      this.#waiting.push(...pieces);
      return true;
    }
    this.#socket.cork();
    let isBelow = true;
    for (const piece of pieces) isBelow = this.#socket.write(piece);
    this.#socket.uncork();
    return isBelow;
  }

  #sendHello() {
    if (!this.#waiting) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#isClosed) return;
    this.#write([...frames(HELLO, encodeHello(this.#reader.limit)), ...waiting]);
    if (!this.#canSend) this.#socket.end();
  }

  /** Resolves when the kernel has all that was sent so far. `process.exit` throws away what it has not. */
  async flush() {
    while (this.#waiting) await new Promise(setImmediate);
    if (this.#canSend) {
      await new Promise((resolve) => this.#socket.write('', resolve));
    } else if (!this.#socket.writableFinished && !this.#isClosed) {
      await new Promise((resolve) => this.#socket.once('finish', resolve).once('close', resolve));
    }
    if (this.#hasFailed || !(this.#canSend || this.#socket.writableFinished)) {
      throw new ForkError('disconnected', 'the other side has closed before it had everything');
    }
  }

  /** Ends this direction. All that was sent arrives, and so does what the other side still sends. */
  disconnect() {
    if (!this.#canSend) return;
    this.#canSend = false;
    if (!this.#waiting) this.#socket.end();
  }

  /** Whether the channel keeps the process alive, which it does by itself. */
  ref() {
    this.#socket.ref();
  }

  unref() {
    this.#socket.unref();
  }

  #read(bytes) {
    try {
      for (const frame of this.#reader.feed(bytes)) {
        this.#handle(frame);
        if (this.#socket.destroyed) return;
      }
    } catch (error) {
      if (!(error instanceof ForkError) || this.#socket.destroyed) throw error;
      this.#abort(error);
    }
  }

  #handle({ kind, body, descriptors, hello }) {
    if (kind === HELLO) {
      this.peer = hello;
      if (this.#isChild && this.#waiting) {
        this.#reader.limit = hello.limit;
        this.#sendHello();
      }
    } else if (kind === ABORT) {
      this.#hasEnded = true;
      this.#socket.destroy();
      this.#report('error', new ForkError('aborted', reason(body)));
    } else if (descriptors > 0) {
      // The kernel has closed them.
      this.#report('lost', new ForkError('handlesNotTaken', 'a message came with descriptors'));
    } else if (kind === BYTES) {
      this.#report('bytes', body);
    } else {
      this.#handleJSON(body);
    }
  }

  #handleJSON(body) {
    let value;
    try {
      value = decodeJSON(body);
    } catch (error) {
      this.#report('lost', error);
      return;
    }
    this.#report('message', value);
  }

  /** What a listener throws is not the other side's mistake. */
  #report(event, ...values) {
    try {
      this.emit(event, ...values);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  /** The other side has ended. What waits is still written, and then the socket closes. */
  #end() {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#sendHello();
    this.#canSend = false;
    try {
      this.#reader.end();
      this.#socket.end();
    } catch (error) {
      this.#socket.destroy();
      this.#report('error', error);
    }
  }

  /** Says why the channel is given up, where that can be said without waiting. */
  #abort(error) {
    this.#sendHello();
    if (this.#canSend && this.#socket.writableLength === 0) {
      const body = encodeJSON({ code: 'protocolViolation', message: error.message });
      this.#write(frames(ABORT, body));
    }
    this.#hasEnded = true;
    this.#canSend = false;
    this.#socket.destroy();
    this.#report('error', error);
  }
}

/** A socket whose other end is gone can't be written, but what had come can be read; Node would throw it away. */
function keepReadingAfterFailedWrites(socket, onFailure) {
  for (const name of ['_write', '_writev', '_final']) {
    const original = socket[name];
    socket[name] = function (...values) {
      const done = values.pop();
      original.call(this, ...values, (error) => {
        if (error) onFailure();
        done();
      });
    };
  }
}

function reason(body) {
  try {
    const { message } = decodeJSON(body);
    if (typeof message === 'string') return message;
  } catch {
    // An abort that can't be read is one without a reason.
  }
  return 'the other side gave no reason';
}

// Parent and child, section 1.

/** The channel to the parent that has started this program, or null where no parent gave it one. */
export function connect(options = {}) {
  const text = process.env[VARIABLE] ?? '';
  delete process.env[VARIABLE];
  // Node marks what it inherits as close-on-exec when it starts.
  if (!/^[0-9]{1,9}$/.test(text) || !isUnixStream(Number(text))) return null;
  const socket = new net.Socket({ fd: Number(text), allowHalfOpen: true, readable: true, writable: true });
  return new Channel(socket, { ...options, isChild: true });
}

function isUnixStream(fd) {
  try {
    const { ino } = fs.fstatSync(fd);
    if (!fs.fstatSync(fd).isSocket()) return false;
    const lines = fs.readFileSync('/proc/net/unix', 'utf8').split('\n');
    return lines.map((line) => line.split(/ +/)).some((words) => words[4] === '0001' && Number(words[6]) === ino);
  } catch {
    return false;
  }
}

/** Starts a program with a channel. The options are those of `child_process.spawn`, and `limit`. */
export function fork(path, args = [], { limit, env = process.env, stdio = 'inherit', ...options } = {}) {
  const streams = Array.isArray(stdio) ? stdio : [stdio, stdio, stdio];
  const child = spawn(path, args, { ...options, env: { ...env, [VARIABLE]: '3' }, stdio: [...streams, 'pipe'] });
  const socket = child.stdio[3];
  socket.allowHalfOpen = true;
  return { process: child, channel: new Channel(socket, { limit }) };
}
