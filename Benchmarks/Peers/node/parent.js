// The parent's side of every workload: `parent.js <workload> <count> [<program of the child>]`. Prints what it measured as one
// line of JSON.
'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { sendItems, sumOfIds } = require('./items.js');

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

const workloads = {
  'round-trip': roundTrips,
  'to-parent': itemsToParent,
  'to-child': itemsToChild,
  'handles': handlesToChild,
};

async function main([workload, count, program]) {
  // For another program than Node the path of the module is only its first argument.
  const child = program
    ? fork(workload, [], { execPath: program, execArgv: [] })
    : fork(path.join(__dirname, 'child.js'), [workload]);
  const result = await workloads[workload](child, Number(count));
  child.disconnect();
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the child has ended with ${code}`);
  console.log(JSON.stringify(result));
}

main(process.argv.slice(2));
