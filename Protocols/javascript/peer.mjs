// The program that ../conformance/README.md describes: it sends back what it is sent.

import { VARIABLE, connect } from './swift_fork.mjs';

const channel = connect();
if (!channel) {
  console.error('peer.mjs: there is no channel; start it with ../conformance/conformance.py');
  process.exit(1);
}

const answers = {
  environment: () => channel.send({ environment: process.env[VARIABLE] ?? null }),
  disconnect: () => channel.disconnect(),
  farewell: ({ count }) => {
    for (let number = 0; number < count; number += 1) channel.send(number);
    channel.flush().then(() => process.exit());
  },
};

function reply(send) {
  // After the end of this direction there is nobody to reply to; what is on its way here is read all the same.
  if (!channel.isConnected) return;
  try {
    send();
  } catch (error) {
    channel.send({ $error: error.code });
  }
}

channel.on('message', (value) => {
  const isQuestion = value !== null && typeof value === 'object' && Object.hasOwn(answers, value.$ask);
  if (isQuestion) answers[value.$ask](value);
  else reply(() => channel.send(value));
});
channel.on('bytes', (bytes) => reply(() => channel.sendBytes(bytes)));
channel.on('lost', (error) => reply(() => channel.send({ $error: error.code })));
// The other side has been told, or is gone.
channel.on('error', () => {});
