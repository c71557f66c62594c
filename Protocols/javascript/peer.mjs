// The program that ../conformance/README.md describes: it sends back what it is sent.

import { VARIABLE, connect } from './swift_fork.mjs';

const channel = connect({ ids: 256 });
if (!channel) {
  console.error('peer.mjs: there is no channel; start it with ../conformance/conformance.py');
  process.exit(1);
}

const answers = {
  environment: () => channel.send({ environment: process.env[VARIABLE] ?? null }),
  disconnect: () => channel.disconnect(),
  farewell: ({ count }) => {
    for (let number = 0; number < count; number += 1) channel.send(number);
    channel.disconnect();
    channel.flush().then(() => process.exit());
  },
};

function echo({ kind, value, error }) {
  // After the end of this direction there is nobody to reply to; what is on its way here is read all the same.
  if (!channel.isConnected) return;
  const question = kind === 'message' ? value?.$ask : undefined;
  try {
    if (typeof question === 'string' && Object.hasOwn(answers, question)) answers[question](value);
    else if (kind === 'lost') channel.send({ $error: error.code });
    else if (kind === 'bytes') channel.sendBytes(value);
    else channel.send(value);
  } catch (refusal) {
    channel.send({ $error: refusal.code });
  }
}

/** What comes in a conversation goes back in it. */
function echoInConversation({ kind, id, value, more, error }) {
  try {
    if (kind === 'message') channel.reply(id, value, { more });
    else if (kind === 'bytes') channel.replyBytes(id, value, { more });
    else if (kind === 'end') channel.end(id);
    else if (kind === 'lost') fail(id, error);
    // A failure, a cancel, and what else ends it: this side has done with it, too.
    else channel.cancel(id);
  } catch (refusal) {
    fail(id, refusal);
  }
}

function fail(id, { code, message }) {
  channel.fail(id, { code, message });
}

try {
  for await (const item of channel) {
    if (item.id === 0) echo(item);
    else echoInConversation(item);
    // What is read is not held here while the other side does not read: it waits for credit instead.
    if (channel.isFull && channel.isConnected) await channel.flush();
  }
} catch {
  // The other side has been told, or is gone.
}
