// The vectors for handles in the Node dialect: the rules of ../node.md, section 5, as a small model, which says of each
// vector what it says itself.
//
//     node --test Protocols/javascript

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';

const { handles } = JSON.parse(fs.readFileSync(new URL('../vectors/node-json.json', import.meta.url), 'utf8'));
const [ACK, NACK] = ['{"cmd":"NODE_HANDLE_ACK"}', '{"cmd":"NODE_HANDLE_NACK"}'];

const commandOf = (value) => {
  const { cmd } = value ?? {};
  return typeof cmd === 'string' && cmd.startsWith('NODE_') && cmd !== 'NODE_' ? cmd : null;
};

/** One side. What it does in a step is in its members, which `step` empties. */
class Side {
  /** Lines that wait, the line whose answer is awaited, and how often that was refused. */
  #queue = [];
  #underWay = null;
  #refusals = 0;

  step({ comes, descriptors = 0, sends, type }) {
    Object.assign(this, { writes: [], gives: [], closes: 0, reports: [], ends: false });
    if (comes === undefined) this.#send(sends, type);
    else this.#read(JSON.parse(comes), descriptors);
    const { writes, gives, closes, reports, ends } = this;
    return { writes, gives, closes, reports, ends };
  }

  #send(text, type) {
    const line = type ? `{"cmd":"NODE_HANDLE","type":"${type}","msg":${text}}` : text;
    this.#queue.push({ text: line, descriptors: type ? 1 : 0 });
    this.#goOn();
  }

  #goOn() {
    while (!this.#underWay && this.#queue.length > 0) {
      const line = this.#queue.shift();
      this.writes.push(line);
      if (line.descriptors > 0) this.#underWay = line;
    }
  }

  #read(value, descriptors) {
    const command = commandOf(value);
    if (descriptors > (command === 'NODE_HANDLE' ? 1 : 0)) {
      Object.assign(this, { closes: descriptors, reports: ['handlesDoNotMatch'], ends: true });
    } else if (!command) {
      this.gives.push({ value, handle: false });
    } else if (command === 'NODE_HANDLE') {
      this.#readHandle(value, descriptors);
    } else if (command === 'NODE_HANDLE_ACK' && this.#underWay) {
      this.#settled();
    } else if (command === 'NODE_HANDLE_NACK' && this.#underWay) {
      this.#refusals += 1;
      if (this.#refusals <= 3) {
        this.writes.push(this.#underWay);
      } else {
        this.reports.push('handleNotReceived');
        this.#settled();
      }
    } else if (command === 'NODE_SOCKET_GET_COUNT') {
      this.#answer(JSON.stringify({ cmd: 'NODE_SOCKET_COUNT', key: value.key, count: 0 }));
    } else if (command === 'NODE_SOCKET_NOTIFY_CLOSE') {
      this.#answer(JSON.stringify({ cmd: 'NODE_SOCKET_ALL_CLOSED', key: value.key }));
    }
  }

  #readHandle(line, descriptors) {
    this.#answer(descriptors === 0 ? NACK : ACK);
    if (descriptors === 0) return;
    const inner = commandOf(line.msg) === 'NODE_HANDLE' ? line.msg : line;
    if ('msg' in inner && !commandOf(inner.msg)) this.gives.push({ value: inner.msg, handle: true });
    else this.closes += 1;
  }

  #answer(text) {
    this.writes.push({ text, descriptors: 0 });
  }

  #settled() {
    this.#underWay = null;
    this.#refusals = 0;
    this.closes += 1;
    this.#goOn();
  }
}

test('each step of a vector for handles does what the rules say, and nothing else', () => {
  const names = handles.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, steps } of handles) {
    const side = new Side();
    for (const [number, step] of steps.entries()) {
      const { writes, ...rest } = side.step(step);
      const { writes: lines = [], gives = [], closes = 0, reports = [], ends = false } = step;
      const said = { gives: gives.map(({ body, handle = false }) => ({ value: JSON.parse(body), handle })) };
      assert.deepEqual(rest, { ...said, closes, reports, ends }, `${name}, step ${number + 1}`);
      assert.deepEqual(
        writes.map(({ text, descriptors }) => [JSON.parse(text), descriptors]),
        lines.map(({ text, descriptors = 0 }) => [JSON.parse(text), descriptors]), `${name}, step ${number + 1}`);
    }
  }
});

test('a step has one cause, and no member that is not described', () => {
  const known = ['comes', 'descriptors', 'sends', 'type', 'writes', 'gives', 'closes', 'reports', 'ends', 'node'];
  for (const { name, steps } of handles) {
    for (const step of steps) {
      assert.ok((step.comes === undefined) !== (step.sends === undefined), name);
      assert.deepEqual(Object.keys(step).filter((member) => !known.includes(member)), [], name);
    }
  }
});
