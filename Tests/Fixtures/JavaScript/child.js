// A child of a Swift parent under stock Node.js; it behaves as its first argument says.
'use strict';

const behaviours = {
  echo: () => process.on('message', (message) => process.send(message)),

  // Sends numbers and leaves at once; what the socket did not take is lost with it.
  burst: (count) => {
    for (let number = 0; number < Number(count); number++) process.send(number);
    process.exit(3);
  },

  // Sends numbers as fast as the channel takes them, until all are written.
  flood: (count) => {
    let number = 0;
    const more = () => {
      while (number < Number(count)) {
        if (!process.send(number++, more)) return;
      }
      if (number++ === Number(count)) process.disconnect();
    };
    more();
  },

  report: () => {
    const names = Object.keys(process.env).filter((name) => name.startsWith('NODE_CHANNEL') || name.startsWith('SWIFT_FORK'));
    process.send({ arguments: process.argv.slice(2), variables: names, connected: process.connected });
    process.on('message', () => {});
  },

  disconnect: () => {
    process.send('last');
    process.disconnect();
  },

  // Answers on each socket that comes with a message, and passes each listening socket's next connection back.
  handles: () =>
    process.on('message', (message, handle) => {
      if (!handle) {
        process.send({ plain: message });
      } else if (typeof handle.listen === 'function') {
        handle.once('connection', (socket) => {
          socket.end('from node');
          handle.close();
        });
        process.send({ server: message });
      } else {
        handle.end(`node got ${message.number}`);
        process.send({ socket: message });
      }
    }),

  // Sends every socket back with the message that it came with.
  return: () =>
    process.on('message', (message, handle) => {
      if (handle) process.send(message, handle);
      else process.send(message);
    }),

  // Sends connections to a server of its own, among plain messages.
  connections: (count) => {
    const net = require('node:net');
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      const number = server.number++;
      process.send({ number }, socket);
      process.send({ plain: number });
    });
    server.number = 0;
    server.listen(0, '127.0.0.1', () => {
      for (let number = 0; number < Number(count); number++) {
        const client = net.connect(server.address().port, '127.0.0.1');
        client.on('data', (data) => process.send({ answer: String(data) }));
      }
    });
    process.on('disconnect', () => process.exit(0));
  },
};

behaviours[process.argv[2]](...process.argv.slice(3));
