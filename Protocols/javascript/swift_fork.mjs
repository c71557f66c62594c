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
//
// The file has four parts: JSON; what is read (`Receiver`) and what is written (`Sender`), which know no socket; the
// channel over a socket; and how a parent and a child come to one.

import { constants } from 'node:buffer';
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';

export const VARIABLE = 'SWIFT_FORK_CHANNEL_FD';
export const LIMIT_VARIABLE = 'SWIFT_FORK_MESSAGE_LIMIT';
export const DEFAULT_LIMIT = 67_108_864;
const VERSION = { major: 1, minor: 0 };
/** What every hello announces at least. */
const LEAST_LIMIT = 65_536;
const LEAST_WINDOW = 262_144;
const LONGEST_BODY = 262_144;
const LONGEST_META = 65_535;
const HEADER_SIZE = 16;
/** Long messages are cut into pieces of this size, so that nothing waits long behind one. A description fits in one. */
const PIECE = 131_072;
const MOST_DESCRIPTORS = 253;
const MOST_LEVELS = 512;

export const HELLO = 0x01;
export const ABORT = 0x02;
export const PING = 0x03;
export const PONG = 0x04;
export const CREDIT = 0x05;
export const CANCEL = 0x06;
export const END = 0x07;
export const MESSAGE = 0x10;
export const BYTES = 0x11;
export const FAILURE = 0x12;
const NAMES = new Map([
  [HELLO, 'hello'], [ABORT, 'abort'], [PING, 'ping'], [PONG, 'pong'], [CREDIT, 'credit'], [CANCEL, 'cancel'],
  [END, 'end'], [MESSAGE, 'message'], [BYTES, 'bytes'], [FAILURE, 'failure'],
]);
const LENGTHS = new Map([[PING, 8], [PONG, 8], [CREDIT, 16], [CANCEL, 0], [END, 0]]);

export const MORE = 0x01;
export const OPEN = 0x02;
export const META = 0x04;

const EMPTY = Buffer.alloc(0);

/** An error with a name as `code`: one of the specification's, or one that README.md names. */
export class ForkError extends Error {
  constructor(code, explanation) {
    super(`${explanation} (${code})`);
    this.code = code;
  }
}

// JSON, section 12. JSON.parse keeps the last of two equal keys, makes doubles of all numbers, and takes halves of
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
    throw new ForkError('textTooLong', 'the text is longer than a string may be');
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

// Conversations, section 6, and the credit of each for what is read, section 7.

/** How much the other side may still send under an id. */
class Window {
  #size;
  /** What all data frames so far have cost, and how much of that nobody has taken. */
  #offset = 0;
  #held = 0;
  limit;

  constructor(size) {
    this.#size = size;
    this.limit = size;
  }

  get isUsedUp() {
    return this.#offset >= this.limit;
  }

  add(cost) {
    this.#offset += cost;
    this.#held += cost;
  }

  take(cost) {
    this.#held -= cost;
  }

  /** Whether the limit was raised. Half a window is worth a frame. */
  raise() {
    const limit = this.#offset - this.#held + this.#size;
    if (limit - this.limit < this.#size / 2) return false;
    this.limit = limit;
    return true;
  }
}

/** What this side knows of one id. The lane of plain messages, id 0, is one too. */
class Conversation {
  /** Whether this side opened it. */
  isOurs;
  id;
  /** For what is read. `begun` is the message whose frames are coming. */
  window;
  begun = null;
  hasTheirEnd = false;
  hasBeenRead = false;
  /** For what is written: whether its first frame has been written; what waits; what it has cost; how far it may go. */
  isOpened;
  queue = new Queue();
  offset = 0;
  limit = 0;
  /** This side's last message is in the queue; and has been written. */
  isFinished = false;
  hasOurEnd = false;
  /** Nobody here wants to hear of it any more, but the other side has not been told yet. */
  isGivenUp = false;
  isOver = false;
  /** Whether whatever worked on it has stopped. */
  isHandled = false;
  /** Who takes its messages; null: whoever takes those of the channel. */
  inbox = null;

  constructor(id, isOurs, windowSize) {
    this.id = id;
    this.isOurs = isOurs;
    this.isOpened = !isOurs;
    this.window = new Window(windowSize);
  }
}

/** All ids of a channel. `Receiver` and `Sender` share it, because what one side says ends what the other may say. */
export class Conversations {
  plain;
  /** Those in which a message has begun to come. */
  begun = new Set();
  /** The highest id that the other side may open. */
  highestOfTheirs;
  #isChild;
  #windowSize;
  #known = new Map();
  #nextToReserve;
  #nextOfOurs;
  #nextOfTheirs;

  constructor({ isChild = false, window = LEAST_WINDOW, ids = 0 } = {}) {
    this.#isChild = isChild;
    this.#windowSize = window;
    this.plain = new Conversation(0, false, window);
    this.#nextOfOurs = isChild ? 2 : 1;
    this.#nextToReserve = this.#nextOfOurs;
    this.#nextOfTheirs = isChild ? 1 : 2;
    this.highestOfTheirs = this.#nextOfTheirs + 2 * (ids - 1);
  }

  /** The highest id that this side may open where it may open so many. */
  highestOfOurs(ids) {
    return (this.#isChild ? 2 : 1) + 2 * (ids - 1);
  }

  isOurs(id) {
    return (id % 2 === 0) === this.#isChild;
  }

  /** Whether it has been opened on the wire. */
  wasOpened(id) {
    return id < (this.isOurs(id) ? this.#nextOfOurs : this.#nextOfTheirs);
  }

  /** Whether it was, or will be. */
  wasGiven(id) {
    return id < (this.isOurs(id) ? this.#nextToReserve : this.#nextOfTheirs);
  }

  /** Whether it is the next that the other side has to open. */
  isNextOfTheirs(id) {
    return id === this.#nextOfTheirs;
  }

  isNextOfOurs(id) {
    return id === this.#nextOfOurs;
  }

  /** What is known of an id; undefined for one that was forgotten, or never known. */
  find(id) {
    return id === 0 ? this.plain : this.#known.get(id);
  }

  get all() {
    return [...this.#known.values()];
  }

  /** One that this side will open. Its number is certain, because openings are written in their order. */
  reserve() {
    return this.#add(new Conversation((this.#nextToReserve += 2) - 2, true, this.#windowSize));
  }

  /** The first frame of one that was reserved is written. */
  opened(conversation) {
    conversation.isOpened = true;
    this.#nextOfOurs += 2;
  }

  /** The other side opens its next one. */
  accept() {
    return this.#add(new Conversation((this.#nextOfTheirs += 2) - 2, false, this.#windowSize));
  }

  #add(conversation) {
    this.#known.set(conversation.id, conversation);
    return conversation;
  }

  /** The message of which frames have come; null: it is whole, or nobody wants it. */
  begin(conversation, message) {
    conversation.begun = message;
    if (message) this.begun.add(conversation);
    else this.begun.delete(conversation);
  }

  endOurs(conversation) {
    conversation.hasOurEnd = true;
    if (conversation.hasTheirEnd && conversation.id !== 0) this.finish(conversation);
  }

  endTheirs(conversation) {
    conversation.hasTheirEnd = true;
    if (conversation.hasOurEnd && conversation.id !== 0) this.finish(conversation);
  }

  finish(conversation) {
    conversation.isOver = true;
    this.begin(conversation, null);
    this.#forget(conversation);
  }

  /** Whatever worked on it here has stopped. */
  handled(conversation) {
    conversation.isHandled = true;
    this.#forget(conversation);
  }

  #forget(conversation) {
    const { id, isOurs, isOver, isHandled } = conversation;
    if (!isOver || !(isOurs || isHandled) || !this.#known.delete(id)) return;
    if (!isOurs) this.highestOfTheirs += 2;
  }
}

/** First in, first out. */
class Queue {
  #items = [];
  #start = 0;

  get isEmpty() {
    return this.#start === this.#items.length;
  }

  get first() {
    return this.#items[this.#start];
  }

  push(item) {
    this.#items.push(item);
  }

  shift() {
    const item = this.#items[this.#start];
    this.#items[this.#start] = undefined;
    this.#start += 1;
    // An array moves all that it has when its first goes.
    if (this.#start > 1000 && this.#start * 2 > this.#items.length) this.replace(this.rest());
    return item;
  }

  rest() {
    return this.#items.slice(this.#start);
  }

  replace(items) {
    this.#items = items;
    this.#start = 0;
  }
}

// What is read: sections 2 to 6 and 13.

/**
 * Bytes in, frames out. It knows no socket.
 *
 * `feed` gives control frames and whole messages, in order; frames that come late are not given. What breaks the
 * protocol is thrown, and then nothing more may be fed.
 */
export class Receiver {
  conversations;
  #limit;
  #header = Buffer.alloc(HEADER_SIZE);
  #headerCount = 0;
  /** The frame whose body is coming. */
  #frame = null;
  #hasHello = false;
  #hasEnd = false;
  #hasAbort = false;

  constructor({ limit = DEFAULT_LIMIT, conversations, ...options } = {}) {
    this.#limit = limit;
    this.conversations = conversations ?? new Conversations(options);
  }

  /** Gives `{ kind, id, … }` for each frame or message that is whole with these bytes. */
  *feed(bytes) {
    while (!this.#hasAbort && (bytes.length > 0 || this.#frame?.missing === 0)) {
      if (!this.#frame) {
        bytes = this.#readHeader(bytes);
        continue;
      }
      const frame = this.#frame;
      const piece = bytes.subarray(0, frame.missing);
      bytes = bytes.subarray(piece.length);
      frame.missing -= piece.length;
      if (frame.pieces) append(piece, frame.pieces);
      if (frame.missing > 0) return;
      this.#frame = null;
      const whole = frame.pieces && this.#complete(frame);
      if (whole) yield whole;
    }
  }

  /** The stream has ended. */
  end() {
    if (this.#hasEnd || this.#hasAbort) return;
    if (this.#headerCount > 0 || this.#frame || this.conversations.begun.size > 0) {
      throw new ForkError('truncated', 'the stream ended inside a frame or a message');
    }
  }

  /** Takes bytes of a header, and gives back those after it. */
  #readHeader(bytes) {
    const count = Math.min(bytes.length, HEADER_SIZE - this.#headerCount);
    bytes.copy(this.#header, this.#headerCount, 0, count);
    this.#headerCount += count;
    if (this.#headerCount >= 4) this.#checkLength();
    if (this.#headerCount === HEADER_SIZE) {
      this.#headerCount = 0;
      this.#begin();
    }
    return bytes.subarray(count);
  }

  get #length() {
    return this.#header.readUInt32BE(0) - 12;
  }

  #checkLength() {
    if (this.#length < 0) throw new ForkError('lengthTooSmall', `a frame has the length ${this.#length + 12}`);
    if (this.#length > LONGEST_BODY) throw new ForkError('frameTooLong', `a frame of ${this.#length} bytes`);
  }

  #begin() {
    const header = {
      length: this.#length,
      kind: this.#header[4],
      flags: this.#header[5],
      descriptors: this.#header.readUInt16BE(6),
      // No id beyond 2^53 is ever opened, so it means nothing that such a one is rounded.
      id: Number(this.#header.readBigUInt64BE(8)),
    };
    checkAlone(header, this.#hasHello);
    const conversation = this.#place(header);
    // A frame that comes late has no pieces: its body is not kept.
    this.#frame = { ...header, conversation, pieces: conversation && [], missing: header.length };
  }

  /** The header by what came before. Gives the frame's conversation; null where the frame comes late. */
  #place(header) {
    const { kind, id } = header;
    const isData = kind >= MESSAGE;
    const conversation = id === 0 ? this.conversations.plain : this.#find(header, isData);
    if (!conversation) return null;
    // A failure may stand after its sender's last message: it ends the other direction.
    const hasEnded = conversation.hasTheirEnd && (isData ? kind !== FAILURE : kind === END);
    if (hasEnded || (isData && this.#hasEnd)) {
      throw new ForkError('afterEnd', `the id ${id} goes on after its end`);
    }
    if (isData) this.#placeData(header, conversation);
    else if (kind === END && conversation.begun) throw interrupted(id);
    return conversation;
  }

  #find({ kind, id, flags }, isData) {
    const { conversations } = this;
    if (conversations.wasOpened(id)) {
      const conversation = conversations.find(id);
      return conversation?.isOver ? null : conversation;
    }
    if (!isData || !conversations.isNextOfTheirs(id)) {
      throw new ForkError('idNotOpened', `nobody has opened the id ${id}`);
    }
    if (id > conversations.highestOfTheirs) throw new ForkError('tooManyIds', `the id ${id} is not allowed yet`);
    if (kind === FAILURE || !(flags & META)) {
      throw new ForkError('openedWithoutMeta', `the id ${id} is opened without a description`);
    }
    const conversation = conversations.accept();
    if (!conversations.plain.hasOurEnd) return conversation;
    // This side has said that it sends no more, so it would owe an answer for ever.
    conversations.finish(conversation);
    conversations.handled(conversation);
    return null;
  }

  #placeData({ kind, flags, id, length, descriptors }, conversation) {
    const { begun, window } = conversation;
    if (begun) {
      if (begun.kind !== kind) throw interrupted(id);
      if (flags & META) throw new ForkError('flagsNotAllowed', 'a description stands in the middle of a message');
      if (descriptors > 0) throw new ForkError('handlesDoNotMatch', 'a message announces descriptors in its middle');
    }
    if (window.isUsedUp) throw new ForkError('overCredit', `the id ${id} has no credit`);
    // The length of a description is not known yet.
    if (!(flags & META)) this.#checkMessage(length + (begun?.length ?? 0));
  }

  #checkMessage(length) {
    if (length > this.#limit) throw new ForkError('messageTooLong', `a message of more than ${this.#limit} bytes`);
  }

  #complete(frame) {
    const { kind, id, conversation } = frame;
    // This side has cancelled it while the frame came.
    if (conversation.isOver) return null;
    if (kind >= MESSAGE) return this.#completeData(frame);
    const body = joined(frame.pieces);
    switch (kind) {
      case HELLO:
        this.#hasHello = true;
        return { kind, id, body, hello: decodeHello(body) };
      case ABORT:
        this.#hasAbort = true;
        return { kind, id, body, reason: decodeReason(body) };
      case CREDIT:
        return { kind, id, body, conversation, limit: readNumber(body, 0), highest: readNumber(body, 8) };
      case CANCEL:
        this.conversations.finish(conversation);
        return { kind, id, body, conversation };
      case END:
        return { kind, id, body, conversation, over: this.#completeEnd(conversation) };
      default:
        return { kind, id, body };
    }
  }

  /** Gives the conversations that will not get what the other side still owes them. */
  #completeEnd(conversation) {
    this.conversations.endTheirs(conversation);
    if (conversation.id !== 0) return [];
    this.#hasEnd = true;
    const over = this.conversations.all.filter(({ isOver, hasTheirEnd }) => !isOver && !hasTheirEnd);
    for (const one of over) this.conversations.finish(one);
    return over;
  }

  #completeData({ kind, id, flags, descriptors, length, pieces, conversation }) {
    const message = conversation.begun ?? { kind, descriptors, meta: null, pieces: [], length: 0, cost: 0 };
    let body = joined(pieces);
    if (flags & META) [message.meta, body] = cutMeta(body);
    append(body, message.pieces);
    message.length += body.length;
    if (flags & META) this.#checkMessage(message.length);
    const cost = 64 + length + 4096 * descriptors;
    conversation.window.add(cost);
    message.cost += cost;
    this.conversations.begin(conversation, flags & MORE ? message : null);
    if (flags & MORE) return null;
    const more = (flags & OPEN) !== 0;
    if (kind === FAILURE) this.conversations.finish(conversation);
    else if (!more && id !== 0) this.conversations.endTheirs(conversation);
    const { meta, cost: held } = message;
    body = message.pieces.length === 1 ? message.pieces[0] : Buffer.concat(message.pieces);
    const reason = kind === FAILURE ? decodeReason(body) : undefined;
    return { kind, id, conversation, body, meta, more, descriptors: message.descriptors, cost: held, reason };
  }

  /** Somebody waits for the message that has begun, so what has come of it counts as taken. */
  letIn(conversation) {
    const { begun, window } = conversation;
    if (!begun) return;
    window.take(begun.cost);
    begun.cost = 0;
  }
}

const interrupted = (id) => new ForkError('interruptedMessage', `a message of the id ${id} has no end`);
/** Small pieces are put together, so that there are never many of them. */
function append(piece, pieces) {
  while (piece.length < 65_536 && pieces.length > 0 && pieces.at(-1).length <= piece.length) {
    piece = Buffer.concat([pieces.pop(), piece]);
  }
  pieces.push(piece);
}

const joined = (pieces) => (pieces.length === 1 && pieces[0].length > 4096 ? pieces[0] : Buffer.concat(pieces));
const readNumber = (body, at) => Number(body.readBigUInt64BE(at));

/** What is wrong with a header whatever came before. The order of the checks is the specification's. */
function checkAlone({ length, kind, flags, descriptors, id }, hasHello) {
  const name = NAMES.get(kind);
  if (!name) throw new ForkError('unknownKind', `a frame has the unknown kind ${kind}`);
  if (flags & ~(MORE | OPEN | META)) throw new ForkError('unknownFlags', `a frame has the flags ${flags}`);
  if (!hasHello && kind !== HELLO) throw new ForkError('noHello', 'the first frame is not a hello');
  if (hasHello && kind === HELLO) throw new ForkError('repeatedHello', 'there is a second hello');
  const isControl = kind < MESSAGE;
  const isMisplaced = (flags & OPEN) !== 0 && (id === 0 || (flags & MORE) !== 0 || kind === FAILURE);
  if (isControl ? flags !== 0 : isMisplaced) throw new ForkError('flagsNotAllowed', `a ${name} has the flags ${flags}`);
  if (id !== 0 ? kind <= PONG : kind === CANCEL || kind === FAILURE) {
    throw new ForkError('idNotAllowed', `a ${name} has the id ${id}`);
  }
  if (LENGTHS.has(kind) && length !== LENGTHS.get(kind)) {
    throw new ForkError('wrongLength', `the body of a ${name} has ${length} bytes`);
  }
  if (flags & MORE && length === 0) throw new ForkError('emptyFragment', 'a frame that is not the last is empty');
  if (descriptors > (isControl || kind === FAILURE ? 0 : MOST_DESCRIPTORS)) {
    throw new ForkError('handlesDoNotMatch', `a ${name} announces ${descriptors} descriptors`);
  }
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isWireNumber = (value) => Number.isSafeInteger(value) && value >= 0;

/** The description at the front of a body, and the rest of the body. */
function cutMeta(body) {
  const end = body.length < 2 ? Infinity : 2 + body.readUInt16BE(0);
  if (end > body.length) throw new ForkError('badMeta', 'a description is longer than its frame');
  const meta = decodePart(body.subarray(2, end), 'badMeta');
  checkMeta(meta);
  const { name, timeout, trace } = meta;
  return [{ name, timeout, trace }, body.subarray(end)];
}

function checkMeta(meta) {
  const { name = '', timeout = 0, trace = {} } = isObject(meta) ? meta : { name: null };
  const isRight = typeof name === 'string' && isWireNumber(timeout) && isObject(trace);
  if (!isRight || !Object.values(trace).every((value) => typeof value === 'string')) {
    throw new ForkError('badMeta', 'a description is not the object that it has to be');
  }
}

function decodeHello(body) {
  const hello = decodePart(body, 'badHello');
  const { version, features, limits } = isObject(hello) ? hello : {};
  const mustHold = (condition) => {
    if (!condition) throw new ForkError('badHello', 'the hello is not the object that it has to be');
  };
  mustHold(isObject(version) && isWireNumber(version.major) && isWireNumber(version.minor));
  // Whatever else another version has in its hello, it need not look like this one's.
  if (version.major !== VERSION.major) {
    throw new ForkError('unsupportedVersion', `the other side speaks version ${version.major}`);
  }
  mustHold(Array.isArray(features) && features.every((feature) => typeof feature === 'string'));
  mustHold(isObject(limits));
  const { message, window, ids = 0 } = limits;
  mustHold([message, window, ids].every(isWireNumber) && message >= LEAST_LIMIT && window >= LEAST_WINDOW);
  return { minor: version.minor, features, limit: message, window, ids };
}

/** JSON that is a part of the protocol. */
function decodePart(body, code) {
  try {
    return decodeJSON(body);
  } catch (error) {
    throw new ForkError(code, `it is not JSON: ${error.message}`);
  }
}

/** The reason in a failure or an abort, or null: it is no error where none can be read. */
function decodeReason(body) {
  try {
    const reason = decodeJSON(body);
    if (typeof reason.code === 'string' && typeof reason.message === 'string') return reason;
  } catch {
    // See above.
  }
  return null;
}

// What is written: sections 2 to 8.

/** One frame, as bytes. */
export function encodeFrame(kind, body = EMPTY, { id = 0, flags = 0, descriptors = 0, prefix = EMPTY } = {}) {
  const frame = Buffer.allocUnsafe(HEADER_SIZE + prefix.length + body.length);
  frame.writeUInt32BE(frame.length - 4, 0);
  frame[4] = kind;
  frame[5] = flags;
  frame.writeUInt16BE(descriptors, 6);
  frame.writeBigUInt64BE(BigInt(id), 8);
  prefix.copy(frame, HEADER_SIZE);
  body.copy(frame, HEADER_SIZE + prefix.length);
  return frame;
}

export function encodeHello({ limit = DEFAULT_LIMIT, window = LEAST_WINDOW, ids = 0, features = [] } = {}) {
  return encodeJSON({ version: VERSION, features, limits: { message: limit, window, ids } });
}

/** The body of a credit frame. */
export function encodeCredit(limit, highest) {
  const body = Buffer.alloc(16);
  body.writeBigUInt64BE(BigInt(limit), 0);
  body.writeBigUInt64BE(BigInt(Math.max(0, highest)), 8);
  return body;
}

/** A description in front of its message; nothing where there is none. */
function encodeMeta(meta) {
  if (!meta) return EMPTY;
  checkMeta(meta);
  const body = encodeJSON(meta);
  if (body.length > LONGEST_META) throw new ForkError('badMeta', `a description of ${body.length} bytes is too long`);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([length, body]);
}

/** Messages in, frames out, as far as credit goes: control frames first, then a frame of each id in turn. */
export class Sender {
  /** What the other side's hello says, once it has been read. */
  peer = null;
  /** How many bytes of messages wait. */
  queuedBytes = 0;
  hasEnded = false;
  #conversations;
  #highest = -1;
  /** Control frames that wait. */
  #hello;
  #announced;
  #ping = null;
  #pong = null;
  #cancels = [];
  #credits = new Set();
  #isEnding = false;
  /** The conversations that have something to send, in the order of their turns. */
  #turns = new Set();

  constructor(conversations, hello) {
    this.#conversations = conversations;
    this.#hello = hello;
    this.#announced = conversations.highestOfTheirs;
    conversations.plain.limit = LEAST_WINDOW;
  }

  /**
   * The other side's hello has come: before it, only what every hello allows was sent. Gives the conversations with a
   * message that is too long for the other side, one for each such message. The plain ones will not be sent.
   */
  helloCame(peer) {
    this.peer = peer;
    this.#highest = this.#conversations.highestOfOurs(peer.ids);
    const isTooLong = ({ body }) => body.length > peer.limit;
    const { plain } = this.#conversations;
    const conversations = [plain, ...this.#conversations.all];
    for (const conversation of conversations) conversation.limit = Math.max(conversation.limit, peer.window);
    const refused = conversations.flatMap((one) => one.queue.rest().filter(isTooLong).map(() => one));
    for (const { body } of plain.queue.rest().filter(isTooLong)) this.queuedBytes -= body.length;
    plain.queue.replace(plain.queue.rest().filter((message) => !isTooLong(message)));
    if (plain.queue.isEmpty) this.#turns.delete(plain);
    return refused;
  }

  creditCame(conversation, limit, highest) {
    conversation.limit = Math.max(conversation.limit, limit);
    this.#highest = Math.max(this.#highest, highest);
  }

  /** What can be queued, or an error. */
  message(kind, body, { meta = null, open = false } = {}) {
    if (this.peer && body.length > this.peer.limit) {
      throw new ForkError('messageTooLong', `the message has ${body.length} bytes, and ${this.peer.limit} are read`);
    }
    return { kind, body, prefix: encodeMeta(meta), open, at: 0, hasBegun: false };
  }

  /** Queues a message. After one that is not OPEN the conversation has no more of this side's, but a failure. */
  add(conversation, message) {
    if (conversation.id !== 0) conversation.isFinished ||= !message.open;
    // A conversation that was opened after the hello has the window that the hello announced.
    if (this.peer) conversation.limit = Math.max(conversation.limit, this.peer.window);
    conversation.queue.push(message);
    this.queuedBytes += message.body.length;
    this.#turns.add(conversation);
  }

  /** Gives a conversation up. One whose number the other side has not seen is opened all the same: none is skipped. */
  cancel(conversation) {
    if (conversation.isOver) return;
    this.#drop(conversation);
    if (conversation.isOpened) {
      this.#conversations.finish(conversation);
      this.#cancels.push(conversation.id);
    } else {
      conversation.isGivenUp = true;
      this.add(conversation, this.message(BYTES, EMPTY, { meta: {} }));
    }
  }

  #drop(conversation) {
    for (const { body, at } of conversation.queue.rest()) this.queuedBytes -= body.length - at;
    conversation.queue.replace([]);
    this.#turns.delete(conversation);
  }

  ping(body) {
    this.#ping = body;
  }

  /** Of several pings that wait for an answer only the latest is answered. */
  pong(body) {
    this.#pong = body;
  }

  /** The limit of an id was raised. */
  credit(conversation) {
    this.#credits.add(conversation);
  }

  /** Says `end` when all is written and no conversation waits for anything of this side. */
  finish() {
    this.#isEnding = true;
  }

  /** Nothing waits, neither for the socket nor for credit. */
  get isIdle() {
    return this.queuedBytes === 0 && this.#turns.size === 0 && (!this.#isEnding || this.hasEnded);
  }

  /** The next frame that may be written now, or null. */
  next() {
    return this.#nextControl() ?? this.#nextData() ?? this.#nextEnd();
  }

  #nextControl() {
    for (const [kind, body] of [[HELLO, this.#hello], [PONG, this.#pong], [PING, this.#ping]]) {
      if (!body) continue;
      if (kind === HELLO) this.#hello = null;
      else if (kind === PONG) this.#pong = null;
      else this.#ping = null;
      return encodeFrame(kind, body);
    }
    if (this.#cancels.length > 0) return encodeFrame(CANCEL, EMPTY, { id: this.#cancels.shift() });
    const { plain, highestOfTheirs } = this.#conversations;
    // In a frame of id 0, because one of an id that has ended is dropped.
    if (highestOfTheirs > this.#announced) this.#credits.add(plain);
    for (const conversation of this.#credits) {
      this.#credits.delete(conversation);
      if (conversation.isOver || (conversation.hasTheirEnd && conversation.id !== 0)) continue;
      if (conversation.id === 0) this.#announced = highestOfTheirs;
      const body = encodeCredit(conversation.window.limit, highestOfTheirs);
      return encodeFrame(CREDIT, body, { id: conversation.id });
    }
    return null;
  }

  #nextData() {
    for (const conversation of this.#turns) {
      if (conversation.isOver) {
        this.#drop(conversation);
        continue;
      }
      if (!this.#maySend(conversation)) continue;
      this.#turns.delete(conversation);
      const frame = this.#frameOf(conversation);
      if (!conversation.queue.isEmpty) this.#turns.add(conversation);
      return frame;
    }
    return null;
  }

  #maySend(conversation) {
    const { id, isOpened, queue, offset, limit } = conversation;
    if (!this.peer && (id !== 0 || queue.first.body.length > LEAST_LIMIT)) return false;
    if (id !== 0 && !isOpened && !(this.#conversations.isNextOfOurs(id) && id <= this.#highest)) return false;
    return queue.first.kind === END || offset < limit;
  }

  #frameOf(conversation) {
    const message = conversation.queue.first;
    const { kind, body, open } = message;
    if (!conversation.isOpened && conversation.id !== 0) this.#conversations.opened(conversation);
    const prefix = message.hasBegun ? EMPTY : message.prefix;
    message.hasBegun = true;
    const piece = body.subarray(message.at, message.at + PIECE - prefix.length);
    message.at += piece.length;
    this.queuedBytes -= piece.length;
    const isLast = message.at === body.length;
    if (kind !== END) conversation.offset += 64 + prefix.length + piece.length;
    if (isLast) {
      conversation.queue.shift();
      this.#wrote(conversation, kind, open);
    }
    const flags = (isLast ? 0 : MORE) | (isLast && open ? OPEN : 0) | (prefix.length > 0 ? META : 0);
    return encodeFrame(kind, piece, { id: conversation.id, flags, prefix });
  }

  #wrote(conversation, kind, open) {
    if (conversation.id === 0) return;
    if (kind === FAILURE) {
      this.#conversations.finish(conversation);
    } else if (conversation.isGivenUp && conversation.queue.isEmpty) {
      this.#conversations.finish(conversation);
      this.#cancels.push(conversation.id);
    } else if (!open) {
      this.#conversations.endOurs(conversation);
    }
  }

  #nextEnd() {
    if (!this.#isEnding || this.hasEnded || this.#turns.size > 0) return null;
    if (this.#conversations.all.some(({ isOver, hasOurEnd }) => !isOver && !hasOurEnd)) return null;
    this.hasEnded = true;
    this.#conversations.endOurs(this.#conversations.plain);
    return encodeFrame(END);
  }
}

// The channel.

/** So much is given to the socket at once. */
const BATCH = 65_536;
/** From here on whoever sends should slow down. */
const HIGH_WATER = 262_144;
/** How long an abort waits for the socket to take it, in milliseconds. */
const ABORT_TIME = 1000;

/** Messages that wait for whoever iterates, and whoever waits for messages. */
class Inbox {
  #entries = new Queue();
  #waiters = [];
  #end = null;
  #owner;

  /** The owner hears of what is taken (`took`), of a wait (`waits`), and that all is taken (`isDrained`). */
  constructor(owner) {
    this.#owner = owner;
  }

  get isAwaited() {
    return this.#waiters.length > 0;
  }

  push(entry) {
    if (this.#end) return;
    const waiter = this.#waiters.shift();
    if (waiter) this.#give(entry, waiter);
    else this.#entries.push(entry);
  }

  /** Nothing more comes. The error, where there is one, is thrown once all that came has been taken. */
  finish(error = null) {
    if (this.#end) return;
    this.#end = { error };
    for (const waiter of this.#waiters.splice(0)) this.#giveEnd(waiter);
  }

  next() {
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (!this.#entries.isEmpty) {
        this.#give(this.#entries.shift(), waiter);
      } else if (this.#end) {
        this.#giveEnd(waiter);
      } else {
        this.#waiters.push(waiter);
        this.#owner.waits();
      }
    });
  }

  /** Hands over what has come of one conversation. */
  split(conversation, other) {
    const entries = this.#entries.rest();
    for (const entry of entries) if (entry.conversation === conversation) other.push(entry);
    this.#entries.replace(entries.filter((entry) => entry.conversation !== conversation));
  }

  #give(entry, { resolve }) {
    this.#owner.took(entry);
    resolve({ value: entry.item, done: false });
  }

  #giveEnd({ resolve, reject }) {
    const { error } = this.#end;
    this.#end = { error: null };
    if (error) {
      reject(error);
    } else {
      this.#owner.isDrained();
      resolve({ value: undefined, done: true });
    }
  }
}

/**
 * One side of a channel over a `net.Socket`, which it owns. README.md has its events, and what an iteration gives.
 */
export class Channel extends EventEmitter {
  #socket;
  #conversations;
  #receiver;
  #sender;
  /** Who iterates over all that comes. */
  #inbox = null;
  #flushes = [];
  /** The ping that has no answer yet. */
  #ping = null;
  #pingCount = 0n;
  #isWriting = false;
  /** What is sent meanwhile goes out together. */
  #isReading = false;
  /** Nothing is sent any more but what conversations that go on still owe. */
  #isEnding = false;
  /** The program has heard of the other side's end. */
  #hasEnded = false;
  /** The other side has said `end`, and then its stream has ended too. */
  #hasStreamEnded = false;
  /** Nothing more can be read, or written. */
  #isReadingOver = false;
  #isWritingOver = false;
  #isClosed = false;

  constructor(socket, { limit = DEFAULT_LIMIT, window = LEAST_WINDOW, ids = 0, isChild = false } = {}) {
    super();
    this.#socket = socket;
    this.#conversations = new Conversations({ isChild, window, ids });
    this.#receiver = new Receiver({ limit, conversations: this.#conversations });
    const hello = encodeHello({ limit, window, ids });
    // What the other side would refuse is refused here.
    decodeHello(hello);
    this.#sender = new Sender(this.#conversations, hello);
    keepReadingAfterFailedWrites(socket, () => this.#stopWriting());
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('end', () => this.#streamEnded());
    // ECONNRESET: the other side closed without reading all. This comes after its last byte.
    socket.on('error', () => this.#streamEnded());
    socket.on('close', () => this.#closed());
    this.#pump();
  }

  /** What the other side's hello says, once it has been read: `limit`, `window`, `ids`, `features`, `minor`. */
  get peer() {
    return this.#sender.peer;
  }

  /** Whether more waits to be written than is wise; see `flush`. */
  get isFull() {
    return this.#sender.queuedBytes >= HIGH_WATER;
  }

  /** Whether messages can be sent, and conversations opened. */
  get isConnected() {
    return !this.#isEnding && !this.#isWritingOver;
  }

  // Messages.

  /** Sends a value as JSON. False: accepted, but more waits to be written than is wise; see `flush`. */
  send(value, options) {
    return this.#send(MESSAGE, encodeJSON(value), options);
  }

  /** Sends bytes as they are. The buffer must not be changed before they have been written. */
  sendBytes(bytes, options) {
    return this.#send(BYTES, bufferOf(bytes), options);
  }

  #send(kind, body, options) {
    this.#checkConnected();
    this.#sender.add(this.#conversations.plain, this.#sender.message(kind, body, { meta: metaOf(options) }));
    return this.#pump();
  }

  #checkConnected() {
    if (!this.isConnected) throw new ForkError('disconnected', 'nothing more can be sent');
  }

  // Conversations.

  /**
   * Opens a conversation with a message, and gives its id. `name` says what is asked for; with `more`, further messages
   * follow with `reply`. It goes out when the other side allows one more conversation.
   */
  open(value, options) {
    return this.#open(MESSAGE, encodeJSON(value), options);
  }

  openBytes(bytes, options) {
    return this.#open(BYTES, bufferOf(bytes), options);
  }

  #open(kind, body, options = {}) {
    this.#checkConnected();
    if (this.#conversations.plain.hasTheirEnd) throw new ForkError('disconnected', 'the other side has ended');
    const meta = metaOf(options) ?? {};
    const message = this.#sender.message(kind, body, { meta, open: options.more ?? false });
    const conversation = this.#conversations.reserve();
    this.#sender.add(conversation, message);
    this.#pump();
    return conversation.id;
  }

  /**
   * Sends a message in a conversation; with `more`, it is not this side's last. False: as in `send`. Where the
   * conversation is over, nobody gets the message, and that is no error.
   */
  reply(id, value, options) {
    return this.#reply(id, MESSAGE, encodeJSON(value), options);
  }

  replyBytes(id, bytes, options) {
    return this.#reply(id, BYTES, bufferOf(bytes), options);
  }

  /** This side has nothing more to say in a conversation. */
  end(id) {
    return this.#reply(id, END, EMPTY);
  }

  /** Ends a conversation in both directions, after what this side has sent, and says why: `{ code, message, … }`. */
  fail(id, reason) {
    this.#fail(this.#find(id), reason);
    this.#handled(id);
  }

  /** Gives a conversation up, in both directions, and what waits to be sent in it. */
  cancel(id) {
    const conversation = this.#find(id);
    if (conversation && !this.#isWritingOver) this.#sender.cancel(conversation);
    conversation?.inbox?.finish();
    this.#handled(id);
  }

  #reply(id, kind, body, options = {}) {
    const conversation = this.#find(id);
    if (this.#isWritingOver) throw new ForkError('disconnected', 'nothing more can be sent');
    const isOver = !conversation || conversation.isOver;
    if (!isOver && conversation.isFinished) throw new ForkError('afterEnd', `this side has ended conversation ${id}`);
    const more = options.more ?? false;
    const message = this.#sender.message(kind, body, { meta: metaOf(options), open: more });
    if (!isOver) this.#sender.add(conversation, message);
    return more ? this.#pump() : this.#handled(id);
  }

  #fail(conversation, reason) {
    if (!conversation || conversation.isOver || conversation.isGivenUp || this.#isWritingOver) return;
    this.#sender.add(conversation, this.#sender.message(FAILURE, encodeJSON(reason)));
    conversation.isGivenUp = true;
  }

  /** Undefined for one that is over and forgotten. */
  #find(id) {
    const conversation = id === 0 ? undefined : this.#conversations.find(id);
    if (!conversation && (id === 0 || !this.#conversations.wasGiven(id))) {
      throw new ForkError('idNotOpened', `there is no conversation ${id}`);
    }
    return conversation;
  }

  /** The program has done with a conversation, so the other side may open another one. */
  #handled(id) {
    const conversation = this.#conversations.find(id);
    if (conversation) this.#conversations.handled(conversation);
    return this.#pump();
  }

  // Iteration.

  /** Gives all that comes, but what `answers` gives. From the first call on there are no events for it any more. */
  [Symbol.asyncIterator]() {
    this.#inbox ??= this.#newInbox(() => this.#ended());
    if (this.#conversations.plain.hasTheirEnd || this.#isReadingOver) this.#inbox.finish();
    const inbox = this.#inbox;
    return { next: () => inbox.next(), return: async () => ({ value: undefined, done: true }) };
  }

  /**
   * Gives what the other side says in a conversation from now on, up to its last message. A failure, and whatever else
   * ends the conversation before, is thrown. Whoever leaves the loop earlier gives the conversation up.
   */
  answers(id) {
    const conversation = this.#find(id);
    if (!conversation) throw new ForkError('idNotOpened', `conversation ${id} is over`);
    conversation.inbox ??= this.#newInbox(() => {});
    this.#inbox?.split(conversation, conversation.inbox);
    if (conversation.hasTheirEnd || conversation.isOver) conversation.inbox.finish();
    else if (this.#isReadingOver) conversation.inbox.finish(closedError());
    return this.#iterate(conversation);
  }

  async *#iterate({ id, inbox }) {
    let isOpen = true;
    try {
      while (isOpen) {
        const { value: item, done } = await inbox.next();
        isOpen = !done && item.more;
        if (done || item.kind === 'end') return;
        if (item.error) throw item.error;
        yield item;
      }
    } finally {
      if (isOpen) this.cancel(id);
    }
  }

  #newInbox(isDrained) {
    return new Inbox({
      took: ({ conversation, cost }) => this.#took(conversation, cost),
      waits: () => {
        this.#awaitBegun();
        this.#pump();
      },
      isDrained,
    });
  }

  #took(conversation, cost) {
    conversation.window.take(cost);
    this.#grant(conversation);
    this.#pump();
  }

  #grant(conversation) {
    if (conversation.hasTheirEnd || conversation.isOver || !conversation.window.raise()) return;
    this.#sender.credit(conversation);
  }

  /** A message that somebody waits for is let in, however long it is. */
  #awaitBegun() {
    for (const conversation of this.#conversations.begun) {
      const inbox = conversation.inbox ?? this.#inbox;
      if (inbox && !inbox.isAwaited) continue;
      this.#receiver.letIn(conversation);
      this.#grant(conversation);
    }
  }

  // The end.

  /**
   * Resolves when the kernel has all that was sent, which the other side's credit must allow. `process.exit` throws
   * away what it has not.
   */
  async flush() {
    if (!this.#isWriting && this.#sender.isIdle) return;
    if (this.#isWritingOver) throw lostError();
    await new Promise((resolve, reject) => this.#flushes.push({ resolve, reject }));
  }

  /**
   * Ends this direction. All that was sent arrives, and so does what the other side still sends. Conversations go on to
   * their end; new ones are refused.
   */
  disconnect() {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#sender.finish();
    this.#pump();
  }

  /** Resolves when the other side has answered. */
  ping() {
    if (this.#isWritingOver) return Promise.reject(lostError());
    if (!this.#ping) {
      const body = Buffer.alloc(8);
      body.writeBigUInt64BE((this.#pingCount += 1n));
      this.#ping = { body };
      this.#ping.answer = new Promise((resolve, reject) => Object.assign(this.#ping, { resolve, reject }));
      this.#sender.ping(body);
      this.#pump();
    }
    return this.#ping.answer;
  }

  /** Whether the channel keeps the process alive, which it does by itself. */
  ref() {
    this.#socket.ref();
  }

  unref() {
    this.#socket.unref();
  }

  // What is read.

  #read(bytes) {
    if (this.#isReadingOver) return;
    this.#isReading = true;
    try {
      for (const frame of this.#receiver.feed(bytes)) {
        this.#handle(frame);
        if (this.#isReadingOver) return;
      }
    } catch (error) {
      if (!(error instanceof ForkError)) throw error;
      this.#abort(error);
    } finally {
      this.#isReading = false;
    }
    this.#awaitBegun();
    this.#pump();
  }

  #handle(frame) {
    const { kind, id, body, conversation } = frame;
    switch (kind) {
      case HELLO:
        for (const refused of this.#sender.helloCame(frame.hello)) this.#refuse(refused);
        break;
      case ABORT:
        this.#aborted(frame.reason);
        break;
      case PING:
        this.#sender.pong(body);
        break;
      case PONG:
        if (!this.#ping?.body.equals(body)) break;
        this.#ping.resolve();
        this.#ping = null;
        break;
      case CREDIT:
        this.#sender.creditCame(conversation, frame.limit, frame.highest);
        break;
      case CANCEL:
        this.#deliver(conversation, endItem('cancel', id, 'cancelled', 'the other side has given it up'));
        break;
      case END:
        for (const one of frame.over) {
          this.#deliver(one, endItem('over', one.id, 'disconnected', 'the other side has ended'));
        }
        if (id !== 0) this.#deliver(conversation, { kind: 'end', id, more: false });
        else if (this.#inbox) this.#inbox.finish();
        else this.#ended();
        break;
      default:
        this.#handleMessage(frame);
    }
  }

  #handleMessage({ kind, id, conversation, body, meta, more, descriptors, cost, reason }) {
    const isOpening = id !== 0 && !conversation.isOurs && !conversation.hasBeenRead;
    conversation.hasBeenRead = true;
    if (kind === FAILURE) {
      this.#deliver(conversation, { ...endItem('failure', id, 'failed', textOfReason(reason)), reason }, cost);
      return;
    }
    const item = { kind: NAMES.get(kind), id, ...meta, isOpening, more };
    try {
      // The kernel has closed them.
      if (descriptors > 0) throw new ForkError('handlesNotTaken', 'a message came with descriptors');
      item.value = kind === BYTES ? body : decodeJSON(body);
    } catch (error) {
      this.#deliver(conversation, { ...item, kind: 'lost', more: false, error }, cost);
      if (id === 0) return;
      this.#fail(conversation, { code: error.code, message: error.message });
      if (isOpening) this.#handled(id);
      return;
    }
    this.#deliver(conversation, item, cost);
  }

  #deliver(conversation, item, cost = 0) {
    if (conversation.isGivenUp) return;
    const inbox = conversation.inbox ?? this.#inbox;
    if (inbox) {
      inbox.push({ conversation, item, cost });
      return;
    }
    const { kind, id, value, error, isOpening } = item;
    if (id === 0) {
      this.#report(kind, kind === 'lost' ? error : value, item);
    } else if (!this.#report('conversation', item) && isOpening) {
      this.fail(id, { code: 'notTaken', message: 'nobody takes conversations' });
    }
    this.#took(conversation, cost);
  }

  /** A message was queued before it was known that the other side does not read that much. */
  #refuse(conversation) {
    const error = new ForkError('messageTooLong', `the other side reads ${this.peer.limit} bytes`);
    if (conversation.id === 0) {
      this.#report('unsent', error);
    } else if (!conversation.isGivenUp) {
      this.#deliver(conversation, { kind: 'lost', id: conversation.id, more: false, error });
      this.#sender.cancel(conversation);
    }
  }

  /** What a listener throws is not the other side's mistake. Gives whether there was a listener. */
  #report(event, ...values) {
    try {
      return this.emit(event, ...values);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
      return true;
    }
  }

  #reportError(error) {
    if (this.#inbox && this.listenerCount('error') === 0) this.#inbox.finish(error);
    else this.#report('error', error);
  }

  /** The program has all that the other side has sent. */
  #ended() {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (!this.#report('end')) this.disconnect();
  }

  // What is written.

  /** Gives the socket what may be sent now. False: more waits than is wise. */
  #pump() {
    if (!this.#isWriting && !this.#isReading && !this.#isWritingOver) {
      const frames = [];
      for (let size = 0; size < BATCH; ) {
        const frame = this.#sender.next();
        if (!frame) break;
        frames.push(frame);
        size += frame.length;
      }
      if (frames.length > 0) this.#write(frames);
      else this.#settle();
    }
    return !this.isFull;
  }

  #write(frames) {
    this.#isWriting = true;
    this.#socket.write(frames.length === 1 ? frames[0] : Buffer.concat(frames), () => {
      this.#isWriting = false;
      this.#pump();
    });
  }

  /** The kernel has all that may be sent now. */
  #settle() {
    if (this.#sender.isIdle) {
      for (const { resolve } of this.#flushes.splice(0)) resolve();
      if (this.#sender.hasEnded && this.#conversations.plain.hasTheirEnd) this.#close();
    } else if (this.#hasStreamEnded) {
      // There will be no more credit.
      this.#close();
    }
  }

  #stopWriting() {
    this.#isWritingOver = true;
    for (const { reject } of this.#flushes.splice(0)) reject(lostError());
    this.#ping?.answer.catch(() => {});
    this.#ping?.reject(lostError());
    this.#ping = null;
  }

  // How the channel closes.

  #close() {
    this.#isReadingOver = true;
    this.#stopWriting();
    this.#socket.end(() => this.#socket.destroy());
  }

  #streamEnded() {
    if (this.#isReadingOver) return;
    let error = null;
    try {
      this.#receiver.end();
    } catch (truncated) {
      error = truncated;
    }
    if (!error && this.#conversations.plain.hasTheirEnd && !this.#isWritingOver) {
      this.#hasStreamEnded = true;
      this.#pump();
      return;
    }
    this.#isReadingOver = true;
    this.#stopWriting();
    this.#socket.destroy();
    if (error) this.#reportError(error);
  }

  #aborted(reason) {
    this.#isReadingOver = true;
    this.#stopWriting();
    this.#socket.destroy();
    const error = new ForkError('aborted', textOfReason(reason));
    error.reason = reason;
    this.#reportError(error);
  }

  /** Says why the channel is given up, and waits a short while for the socket to take that. */
  #abort(error) {
    this.#isReadingOver = true;
    this.#socket.pause();
    if (this.#isWritingOver) {
      this.#socket.destroy();
    } else {
      this.#stopWriting();
      const body = encodeJSON({ code: 'protocolViolation', message: error.message });
      const timer = setTimeout(() => this.#socket.destroy(), ABORT_TIME);
      this.#socket.once('close', () => clearTimeout(timer));
      this.#socket.end(encodeFrame(ABORT, body), () => this.#socket.destroy());
    }
    this.#reportError(error);
  }

  #closed() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isReadingOver = true;
    this.#stopWriting();
    this.#inbox?.finish();
    for (const { inbox } of this.#conversations.all) inbox?.finish(closedError());
    this.#report('disconnect');
  }
}

const bufferOf = (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const closedError = () => new ForkError('disconnected', 'the channel has ended');
const lostError = () => new ForkError('disconnected', 'the channel has ended before all was sent');
const textOfReason = (reason) => reason?.message ?? 'the other side gave no reason';
const endItem = (kind, id, code, why) => ({ kind, id, more: false, error: new ForkError(code, why) });

/** The description that the options ask for, or null. */
function metaOf({ name, timeout, trace } = {}) {
  return name === undefined && timeout === undefined && trace === undefined ? null : { name, timeout, trace };
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

// Parent and child, section 1.

/**
 * The channel to the parent that has started this program, or null where no parent gave it one. What is longer than the
 * parent wants the child to read is not read; `limit` may be less.
 */
export function connect({ limit = Infinity, ...options } = {}) {
  const { [VARIABLE]: number = '', [LIMIT_VARIABLE]: wanted = '' } = process.env;
  delete process.env[VARIABLE];
  delete process.env[LIMIT_VARIABLE];
  // Node marks what it inherits as close-on-exec when it starts.
  if (!/^[0-9]{1,9}$/.test(number) || !isUnixStream(Number(number))) return null;
  const given = /^[0-9]+$/.test(wanted) ? Number(wanted) : 0;
  const isGiven = given >= LEAST_LIMIT && given <= Number.MAX_SAFE_INTEGER;
  const least = Math.min(limit, isGiven ? given : Infinity);
  const socket = new net.Socket({ fd: Number(number), allowHalfOpen: true, readable: true, writable: true });
  return new Channel(socket, { ...options, limit: least === Infinity ? DEFAULT_LIMIT : least, isChild: true });
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

/**
 * Starts a program with a channel. The options are those of `child_process.spawn`, those of the channel (`limit`,
 * `window`, `ids`), and `childLimit`, the longest message that the child shall read.
 */
export function fork(path, args = [], options = {}) {
  const { limit, window, ids, childLimit, env = process.env, stdio = 'inherit', ...rest } = options;
  const streams = Array.isArray(stdio) ? stdio : [stdio, stdio, stdio];
  // A variable that is undefined is not there.
  const variables = { ...env, [VARIABLE]: '3', [LIMIT_VARIABLE]: childLimit && String(childLimit) };
  const child = spawn(path, args, { ...rest, env: variables, stdio: [...streams, 'pipe'] });
  const socket = child.stdio[3];
  socket.allowHalfOpen = true;
  return { process: child, channel: new Channel(socket, { limit, window, ids }) };
}
