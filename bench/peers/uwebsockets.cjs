// The peer uWebSockets: who says `subscribe` hears whatever anybody else says.
'use strict';

const uws = require('uwebsockets');

const TOPIC = 'viewers';

const server = uws.App();

server
  .ws('/*', {
    compression: uws.DISABLED,
    idleTimeout: 0,
    maxBackpressure: 4 * 1024 * 1024,
    message(socket, message, isBinary) {
      // Only the few bytes of the word itself are looked at.
      if (message.byteLength === 9 && Buffer.from(message).toString() === 'subscribe') {
        socket.subscribe(TOPIC);
        socket.send('subscribed');
      } else {
        server.publish(TOPIC, message, isBinary);
      }
    },
  })
  .listen('127.0.0.1', 0, (listening) => {
    if (!listening) {
      process.exit(1);
    }
    console.log(`ready peer=127.0.0.1:${uws.us_socket_local_port(listening)}`);
  });
