// The peer ws: who says `subscribe` hears whatever anybody else says.
'use strict';

const { WebSocketServer } = require('ws');

const viewers = new Set();
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: false,
  clientTracking: false,
});

server.on('connection', (socket) => {
  socket.on('message', (message, isBinary) => {
    if (message.length === 9 && message.toString() === 'subscribe') {
      viewers.add(socket);
      socket.on('close', () => viewers.delete(socket));
      socket.send('subscribed');
      return;
    }
    for (const viewer of viewers) {
      viewer.send(message, { binary: isBinary });
    }
  });
});
server.on('listening', () => console.log(`ready peer=127.0.0.1:${server.address().port}`));
