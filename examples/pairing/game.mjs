// The smallest game: asks for the PIN, pairs, and stays connected.
import { createInterface } from 'node:readline/promises';
import WebSocket from 'ws';

const address = process.argv[2] ?? 'ws://127.0.0.1:5051/0.0.1/crowdlink-demo';
const socket = new WebSocket(address);
const ask = createInterface({ input: process.stdin, output: process.stdout });

socket.on('open', async () => {
  const pin = await ask.question('PIN: ');
  // Some players type lower case; PINs are upper case.
  const data = { pin: pin.trim().toUpperCase(), game_id: 'Example game' };
  socket.send(JSON.stringify({ action: 'authenticate', params: { request_id: 1 }, data }));
});
socket.on('message', (text) => {
  const { data, errors } = JSON.parse(text);
  if (errors) console.log(`refused: ${errors[0].detail}`);
  else console.log(`paired with channel ${data.twitch_id}; Ctrl-C ends the game`);
});
socket.on('close', (code) => {
  console.log(`closed (${code})`);
  ask.close();
});
socket.on('error', (error) => console.error(error.message));
