// The workloads in which the number of children matters. `start` forks one, running the workload of that name.
'use strict';

const { once } = require('node:events');
const { sumOfIds } = require('./items.cjs');

const warmUpShare = 10;
const now = () => performance.now() * 1e6;

const median = (times) => ({ p50: Float64Array.from(times).sort()[Math.floor(times.length / 2)] / 1000 });

async function end(child) {
  child.disconnect();
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the child has ended with ${code}`);
}

// When the first answer of a new child came.
async function answer(child) {
  return new Promise((resolve) => {
    child.once('message', (message) => {
      if (message !== 'pong') throw new Error(`got ${message}`);
      resolve(now());
    });
    child.send('ping');
  });
}

// Starts children one after the other: from before the start to the first answer.
exports.starts = async function (start, count) {
  const times = [];
  for (let index = -2; index < count; index++) {
    const begin = now();
    const child = start('round-trip');
    const answered = await answer(child);
    if (index >= 0) times.push(answered - begin);
    await end(child);
  }
  return median(times);
};

// Two children, then more of them: each time their process numbers are told, and a line of the standard input is
// awaited.
exports.idle = async function (start, size) {
  const children = [];
  for (const wanted of [2, 2 + size]) {
    while (children.length < wanted) {
      children.push(start('round-trip'));
      await answer(children.at(-1));
    }
    console.log(JSON.stringify(children.map((child) => child.pid)));
    await once(process.stdin, 'data');
  }
  process.stdin.destroy();
  for (const child of children) await end(child);
  return {};
};

// One message to each of many children, and the answers of all.
exports.sweeps = async function (start, size, count) {
  const children = Array.from({ length: size }, () => start('round-trip'));
  let answers = 0;
  let swept;
  for (const child of children) {
    child.on('message', (message) => {
      if (message !== 'pong') throw new Error(`got ${message}`);
      if (++answers === size) swept(now());
    });
  }
  const times = [];
  // The first one waits for the children to start.
  for (let index = 0; index <= count; index++) {
    answers = 0;
    const begin = now();
    const finished = await new Promise((resolve) => {
      swept = resolve;
      for (const child of children) child.send('ping');
    });
    if (index > 0) times.push(finished - begin);
  }
  await Promise.all(children.map(end));
  return median(times);
};

// Children that all send items at once: how fast they come together, and how many had come of the slowest one when the
// first was through, in percent of its equal share.
exports.manyToParent = async function (start, size, count) {
  let arrived, sum, shares, finished, done;
  const children = Array.from({ length: size }, (_, number) => {
    const child = start('to-parent');
    child.on('message', (item) => {
      arrived[number]++;
      sum += item.id;
      if (item.ok) return;
      shares ??= arrived.slice();
      if (++finished === size) done(now());
    });
    return child;
  });
  const run = async (count) => {
    [arrived, sum, shares, finished] = [new Array(size).fill(0), 0, undefined, 0];
    const begin = now();
    const end = await new Promise((resolve) => {
      done = resolve;
      for (const child of children) child.send(count);
    });
    if (sum !== size * sumOfIds(count)) throw new Error('an item is missing');
    const all = shares.reduce((sum, share) => sum + share, 0);
    return { rate: ((size * count) / (end - begin)) * 1e9, share: (Math.min(...shares) * size * 100) / all };
  };
  await run(Math.max(Math.floor(count / warmUpShare), 1));
  const result = await run(count);
  await Promise.all(children.map(end));
  return result;
};
