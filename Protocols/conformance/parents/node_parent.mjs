// A parent for the conformance tool in the Node dialect: stock Node.js. Its role is in ../README.md.
//
//     node node_parent.mjs PROGRAM [ARGUMENT...]

import { fork } from 'node:child_process';

const [program, file, ...rest] = process.argv.slice(2);
// `fork` starts a file with an interpreter.
const child = fork(file, rest, { execPath: program, execArgv: [] });

child.on('message', (message, handle) => {
  if (message?.$ask === 'disconnect') setImmediate(() => child.disconnect());
  else if (handle === undefined) child.send(message);
  // A socket is given away; what listens is closed here by hand.
  else child.send(message, handle, () => handle.close?.());
});
// The child may be gone while something is sent to it.
child.on('error', () => {});
child.on('exit', (code) => {
  process.exitCode = code;
});
