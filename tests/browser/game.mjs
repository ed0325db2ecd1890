// A game: its GameLink socket (spec 2) and its REST calls (spec 1.3 B).
import { once } from 'node:events';

import WebSocket from 'ws';

import { STEP_MS_MAX } from './harness.mjs';

/** A game's socket. Requests are answered by `request_id`. */
export class Game {
  static async connect(url) {
    const socket = new WebSocket(url, { handshakeTimeout: STEP_MS_MAX });
    const game = new Game(socket);
    await once(socket, 'open', { signal: AbortSignal.timeout(STEP_MS_MAX) });
    return game;
  }

  constructor(socket) {
    this.socket = socket;
    this.waiting = new Map();
    socket.on('message', (text) => this.receive(JSON.parse(text.toString())));
    socket.on('close', (code) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`closed ${code}`));
      this.waiting.clear();
    });
  }

  receive(frame) {
    this.waiting.get(frame.meta.request_id)?.resolve(frame);
    this.waiting.delete(frame.meta.request_id);
  }

  /** Sends one request and resolves to its answer. */
  request(id, action, data) {
    const answer = new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      AbortSignal.timeout(STEP_MS_MAX).addEventListener('abort', () => {
        reject(new Error(`no answer to request ${id}`));
      });
    });
    this.socket.send(JSON.stringify({ action, params: { request_id: id }, data }));
    return answer;
  }

  async close() {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, 'close', { signal: AbortSignal.timeout(STEP_MS_MAX) });
    this.socket.close(1000);
    await closed;
  }
}

/** A REST call of a game; resolves to the status and the JSON body. */
export async function call(server, method, endpoint, { authorization, body } = {}) {
  const response = await fetch(`${server.rest}/v1/e/${endpoint}`, {
    method,
    headers: authorization ? { authorization } : {},
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(STEP_MS_MAX),
  });
  return { status: response.status, body: await response.json() };
}
