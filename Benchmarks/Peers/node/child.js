// The child's side of every workload: `child.js <workload>`.
'use strict';

const { sendItems } = require('./items.js');

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

let sum = 0;
process.on('message', workloads[process.argv[2]]);
