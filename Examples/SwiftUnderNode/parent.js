// A parent as it may exist already: `node parent.js <path of the Swift program>`. The program takes the place of Node.js as
// what is executed; what would be the path of a module is only its first argument.
'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');

async function main(program) {
  const child = fork('primes', { execPath: program, execArgv: [] });
  for (const below of [10, 1000, 1000000]) {
    child.send({ below });
    const [answer] = await once(child, 'message');
    console.log(`[Node] ${answer.primes} primes are below ${answer.below}`);
  }
  child.disconnect();
  const [code] = await once(child, 'exit');
  console.log(`[Node] the Swift child has exited with code ${code}`);
}

main(process.argv[2]);
