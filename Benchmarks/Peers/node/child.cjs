// The child's side of every workload: `child.cjs <workload> [<size>]`.
'use strict';

const { sendItems } = require('./items.cjs');
const payloads = require('./payloads.cjs');

let sum = 0;
let expected = 0;
let isCompared = false;

// Takes as many messages as the first one says, and answers with the sum of their checksums.
const addUp = (kind, size) => (message) => {
  if (expected === 0) {
    expected = message;
    return;
  }
  if (!isCompared && !payloads.isWhole(kind, size, message)) throw new Error('a message has changed');
  isCompared = true;
  sum += payloads.checksum(kind, message);
  if (--expected > 0) return;
  process.send(sum);
  sum = 0;
};

const workloads = {
  'round-trip': (message) => {
    if (message !== 'ping') throw new Error(`got ${message}`);
    process.send('pong');
  },
  'to-parent': (count) => sendItems(process, count),
  'handles': (item, socket) => {
    socket.destroy();
    workloads['to-child'](item);
  },
  'to-child': (item) => {
    sum += item.id;
    if (item.ok) return;
    process.send(sum);
    sum = 0;
  },
};

const [workload, size] = process.argv.slice(2);
process.on('message', workloads[workload] ?? addUp(workload, Number(size)));
