// Stock Node.js as the parent of a Swift child: `parent.js <program of the child> <what to do> ...`. Its exit code is 0
// where it found everything as it should be.
'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const assert = require('node:assert');

const [, , program, scenario, ...rest] = process.argv;
// With another executable the path of the module is only the first argument.
const start = (behaviour, args = [], options = {}) =>
  fork(behaviour, args, { execPath: program, execArgv: [], ...options });

const texts = [
  '', 'x', '\u0000', '\u001f', '"\\/\b\f\n\r\t', '\u007f', '\u2028\u2029', '\ufeff', '\ufffd', '\uffff', 'Grüße',
  'e\u0301 é', '🐢', '👩‍👩‍👧‍👦', '\u{10ffff}', 'a'.repeat(100000), '\ud83d\udc22'.repeat(30000),
];

const scenarios = {
  // Everything that goes there comes back the same.
  async echo() {
    const child = start('echo');
    const values = [
      null, true, false, 0, -1, 1.5, 1e308, 5e-324, 2 ** 53, -(2 ** 53), 2 ** 60, 2 ** 63, 2 ** 64, 1e21, 123456789012345680000,
      [], {}, [[1, [2, [3]]]], { a: { b: [null] }, '': 0, '\u0000': '\u0000' }, { cmd: 'x' }, { cmd: 'NODE_' }, ...texts,
    ];
    const answers = [];
    child.on('message', (message) => {
      answers.push(message);
      if (answers.length === values.length) child.disconnect();
    });
    for (const value of values) child.send(value);
    const [code] = await once(child, 'exit');
    assert.deepStrictEqual(answers, values);
    assert.strictEqual(code, 0);
  },

  async many(count) {
    const child = start('echo');
    let next = 0;
    child.on('message', (message) => {
      assert.strictEqual(message, next++);
      if (next === Number(count)) child.disconnect();
    });
    for (let number = 0; number < Number(count); number++) {
      if (!child.send(number)) await new Promise((resolve) => setImmediate(resolve));
    }
    const [code] = await once(child, 'exit');
    assert.strictEqual(next, Number(count));
    assert.strictEqual(code, 0);
  },

  async large() {
    const child = start('echo');
    const text = '0123456789abcdeü'.repeat(1 << 20);
    child.send(text);
    const [answer] = await once(child, 'message');
    assert.strictEqual(answer, text);
    child.disconnect();
    await once(child, 'exit');
  },

  // All that a Swift child sent before it ended arrives before its exit.
  async burst() {
    for (const end of ['return', 'exit']) {
      const child = start('burst', ['5000', end]);
      const messages = [];
      child.on('message', (message) => messages.push(message));
      const [code] = await once(child, 'exit');
      if (child.connected) await once(child, 'disconnect');
      assert.deepStrictEqual(messages, [...Array(5000).keys()]);
      assert.strictEqual(code, end === 'exit' ? 7 : 0);
    }
  },

  async report() {
    const child = start('report');
    const [report] = await once(child, 'message');
    const names = Object.keys(report.environment).filter((name) => name.startsWith('NODE_CHANNEL'));
    assert.deepStrictEqual(names, []);
    assert.strictEqual(report.isForked, true);
    await once(child, 'exit');
  },

  // Lone surrogates have no place in Swift's strings: an error there, and the next message is read.
  async surrogates() {
    const child = start('throw');
    child.send('\ud800');
    child.send('after');
    const answers = [];
    child.on('message', (message) => {
      answers.push(message);
      if (answers.length === 2) child.disconnect();
    });
    await once(child, 'exit');
    assert.deepStrictEqual(answers, [{ error: 'invalidMessage' }, 'after']);
  },

  async advanced() {
    const child = start('mode', [], { serialization: 'advanced', silent: true });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    const [code] = await once(child, 'exit');
    assert.match(output, /advanced/);
    assert.strictEqual(code, 0);
  },

  // Sockets among plain messages, each answered on by the child.
  async handles(count) {
    const child = start('serve-handles');
    const total = Number(count);
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const told = [];
    const answers = [];
    const done = new Promise((resolve) => {
      const check = () => {
        if (told.length === 2 * total && answers.length === total) resolve();
      };
      child.on('message', (message) => {
        told.push(message);
        check();
      });
      server.on('connection', (socket) => {
        const number = server.number++;
        child.send({ number }, socket);
        child.send({ number: 1000 + number });
      });
      server.number = 0;
      for (let number = 0; number < total; number++) {
        let text = '';
        const client = net.connect(server.address().port, '127.0.0.1');
        client.on('data', (data) => (text += data));
        client.on('end', () => {
          answers.push(text);
          check();
        });
      }
    });
    await done;
    const expected = [];
    for (let number = 0; number < total; number++) expected.push([number, 1], [1000 + number, 0]);
    assert.deepStrictEqual(told, expected);
    assert.deepStrictEqual(answers.map(Number).sort((a, b) => a - b), [...Array(total).keys()]);
    server.close();
    child.disconnect();
    await once(child, 'exit');
  },

  // A Swift child that ends waits until its sockets have arrived, and sends what waits behind them.
  async last() {
    const child = start('socket-and-end');
    const messages = [];
    child.on('message', (message, socket) => {
      messages.push([message, Boolean(socket)]);
      if (socket) socket.destroy();
    });
    const began = Date.now();
    const [code] = await once(child, 'exit');
    if (child.connected) await once(child, 'disconnect');
    assert.strictEqual(code, 0);
    const expected = [];
    for (let number = 0; number < 3; number++) expected.push([{ with: number }, true], ['after', false]);
    assert.deepStrictEqual(messages, expected);
    assert.ok(Date.now() - began < 30000, 'the end took as long as a parent that takes nothing');
  },

  // A server of this side is served by the child, and what the child sends back is a socket again.
  async back() {
    const child = start('return-handles');
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect(server.address().port, '127.0.0.1');
    const [socket] = await once(server, 'connection');
    child.send({ there: 1 }, socket);
    const [message, returned] = await once(child, 'message');
    assert.deepStrictEqual(message, { there: 1 });
    returned.end('and back');
    const [data] = await once(client, 'data');
    assert.strictEqual(String(data), 'and back');
    child.send('listen', server);
    const [, listening] = await once(child, 'message');
    assert.strictEqual(typeof listening.listen, 'function');
    listening.close();
    server.close();
    client.destroy();
    child.disconnect();
    await once(child, 'exit');
  },
};

scenarios[scenario](...rest).then(
  () => process.exit(0),
  (error) => {
    console.log(error.stack);
    process.exit(1);
  },
);
