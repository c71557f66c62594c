// The program that ../conformance/README.md describes, in the Node dialect: what plain Node does with `process.send`.

const answers = {
  environment: () => {
    const { NODE_CHANNEL_FD, NODE_CHANNEL_SERIALIZATION_MODE } = process.env;
    process.send({ environment: [NODE_CHANNEL_FD ?? null, NODE_CHANNEL_SERIALIZATION_MODE ?? null] });
  },
  // Not in the handler: Node 20 throws where a message that came before the handler was there makes it disconnect.
  disconnect: () => setImmediate(() => process.disconnect()),
  farewell: ({ count }) => {
    for (let number = 0; number < count; number += 1) process.send(number);
    // Only what the kernel has taken is safe, and the last callback says that it has all.
    process.send(count, () => process.disconnect());
  },
};

process.on('message', (message, handle) => {
  const isQuestion = message !== null && typeof message === 'object' && Object.hasOwn(answers, message.$ask);
  if (isQuestion) answers[message.$ask](message);
  else if (handle === undefined) process.send(message);
  // A socket is given away; what listens is closed here by hand.
  else process.send(message, handle, () => handle.close?.());
});
// Whoever has sent a handle away may still hear of its end.
process.on('error', () => {});
