// The parent's side of every workload: `parent.cjs <workload> <count> <size> json|advanced [<program of the child>]`.
// Prints what it measured as one line of JSON. The size is what one message has of records or of bytes, or how many
// children there are.
'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const children = require('./children.cjs');
const { idOf, sendAll, sendItems, sumOfIds } = require('./items.cjs');
const payloads = require('./payloads.cjs');

const warmUpShare = 10;
const now = () => performance.now() * 1e6;

// Sends a ping with each pong, all of it in the handler.
function roundTrips(child, count) {
  const warmUp = Math.floor(count / warmUpShare);
  const times = new Float64Array(warmUp + count + 1);
  let answers = 0;
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if (message !== 'pong') throw new Error(`got ${message}`);
      times[answers++] = now();
      if (answers === times.length) resolve(summary(times.subarray(warmUp)));
      else child.send('ping');
    });
    child.send('ping');
  });
}

function summary(times) {
  const trips = times.slice(1).map((time, index) => time - times[index]).sort();
  const percentile = (percent) => trips[Math.floor((trips.length * percent) / 100)] / 1000;
  const elapsed = times[times.length - 1] - times[0];
  return { rate: (trips.length / elapsed) * 1e9, p50: percentile(50), p99: percentile(99) };
}

// The child sends as many items as it is asked for; the clock stops when the last one has been handled here.
async function itemsToParent(child, count) {
  let sum = 0;
  let arrived;
  child.on('message', (item) => {
    sum += item.id;
    if (!item.ok) arrived(now());
  });
  const run = async (count) => {
    sum = 0;
    const start = now();
    const end = await new Promise((resolve) => {
      arrived = resolve;
      child.send(count);
    });
    if (sum !== sumOfIds(count)) throw new Error('an item is missing');
    return { rate: (count / (end - start)) * 1e9 };
  };
  await run(Math.max(Math.floor(count / warmUpShare), 1));
  return run(count);
}

// Sends items as fast as the channel takes them; the clock stops when the child's answer to the last one is here.
async function itemsToChild(child, count) {
  const run = async (count) => {
    const answer = once(child, 'message');
    const start = now();
    await sendItems(child, count);
    const [sum] = await answer;
    const end = now();
    if (sum !== sumOfIds(count)) throw new Error('an item is missing');
    return { rate: (count / (end - start)) * 1e9 };
  };
  await run(Math.max(Math.floor(count / warmUpShare), 1));
  return run(count);
}

// Sends items with a socket each, which stays open here; the child closes what it gets.
async function handlesToChild(child, count) {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = net.connect(server.address().port, '127.0.0.1');
  const [socket] = await accepted;
  const run = async (count) => {
    const answer = once(child, 'message');
    const start = now();
    await sendItems(child, count, socket);
    const [sum] = await answer;
    const end = now();
    if (sum !== sumOfIds(count)) throw new Error('an item is missing');
    return { rate: (count / (end - start)) * 1e9 };
  };
  await run(Math.max(Math.floor(count / warmUpShare), 1));
  const result = await run(count);
  client.destroy();
  socket.destroy();
  server.close();
  return result;
}

// Announces how many messages come and sends them; the clock stops when the child's answer to the last one is here.
async function payloadsToChild(child, count, kind, size) {
  const value = payloads.make(kind, size);
  const whole = payloads.checksum(kind, value);
  const run = async (count) => {
    const expected = kind === 'records' ? count * (whole - idOf(1)) + sumOfIds(count) : count * whole;
    const answer = once(child, 'message');
    const start = now();
    child.send(count);
    await sendAll(child, count, (index) => {
      // The first record has the id of the message.
      if (kind === 'records') value[0].id = idOf(index);
      return value;
    });
    const [sum] = await answer;
    const end = now();
    if (sum !== expected) throw new Error('a message is missing, or has changed');
    return { rate: (count / (end - start)) * 1e9 };
  };
  await run(Math.max(Math.floor(count / warmUpShare), 1));
  return run(count);
}

const workloads = {
  'round-trip': roundTrips,
  'to-parent': itemsToParent,
  'to-child': itemsToChild,
  'handles': handlesToChild,
};

const workloadsOfMany = {
  'start': (start, count) => children.starts(start, count),
  'idle': (start, count, size) => children.idle(start, size),
  'alive': (start, count, size) => children.sweeps(start, size, count),
  'many-to-parent': (start, count, size) => children.manyToParent(start, size, count),
};

async function main([workload, count, size, serialization, program]) {
  // For another program than Node the path of the module is only its first argument.
  const start = (workload) =>
    program
      ? fork(workload, [size], { execPath: program, execArgv: [], serialization })
      : fork(path.join(__dirname, 'child.cjs'), [workload, size], { serialization });
  if (workload in workloadsOfMany) return workloadsOfMany[workload](start, Number(count), Number(size));
  const child = start(workload);
  const result = await (workloads[workload] ?? payloadsToChild)(child, Number(count), workload, Number(size));
  child.disconnect();
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the child has ended with ${code}`);
  return result;
}

main(process.argv.slice(2)).then((result) => console.log(JSON.stringify(result)));
