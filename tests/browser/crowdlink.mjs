// Starts the built server with a data folder of its own on free ports, and ends it.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { platformToken } from './tokens.mjs';

const run = promisify(execFile);

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 15_000;
const LOG_LINES_MAX = 200;

const LISTENERS = ['sandbox-rest', 'sandbox-gamelink', 'production-rest', 'production-gamelink', 'ops'];

/**
 * Starts the program in CROWDLINK_BIN; resolves when all its listeners accept. With a `certificate`
 * REST and viewers are served over TLS; games, which have no browser, stay on plain TCP.
 */
export async function startCrowdlink({ certificate } = {}) {
  const server = new Crowdlink(await mkdtemp(join(tmpdir(), 'crowdlink-browser-')));
  if (certificate) await server.secure(certificate);
  await server.start();
  return server;
}

function program() {
  const program = process.env.CROWDLINK_BIN;
  if (!program) throw new Error('CROWDLINK_BIN is not set: start this as `cargo xtask browser`');
  return program;
}

/** Settings of whoever runs the tests are not for this server, and it refuses unknown ones. */
function environment() {
  const ours = ([name]) => !name.startsWith('CROWDLINK_');
  return Object.fromEntries(Object.entries(process.env).filter(ours));
}

class Crowdlink {
  constructor(data) {
    this.data = data;
    this.addresses = {};
    this.tls = [];
    this.scheme = 'http';
  }

  /** Has the pages' listeners speak TLS. */
  async secure({ certificate, key }) {
    const files = { certificate, key };
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.data, `${name}.pem`);
      await writeFile(path, text);
      this.tls.push(`--tls-${name}`, path);
    }
    this.tls.push('--tls-listeners', 'sandbox-rest,production-rest');
    this.scheme = 'https';
  }

  /** Starts the program; again with the same data at the same addresses. */
  async start() {
    const flags = LISTENERS.flatMap((name) => [`--${name}`, this.addresses[name] ?? '127.0.0.1:0']);
    const child = spawn(program(), ['--data', this.data, ...this.tls, ...flags], {
      cwd: this.data,
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.log = keepLog(child);
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => resolve({ error }));
    });
    try {
      this.addresses = await readyLine(child);
    } catch (error) {
      await this.stop().catch(() => {});
      throw new Error(`the server did not start: ${error.message}\n${this.log.join('\n')}`);
    }
  }

  /** Ends the server as a power cut would. */
  async kill() {
    this.child.kill('SIGKILL');
    const { signal } = await this.ended;
    if (signal !== 'SIGKILL') throw new Error(`the server had ended before\n${this.log.join('\n')}`);
  }

  /** Base address of the sandbox's REST side. */
  get rest() {
    return `${this.scheme}://${this.addresses['sandbox-rest']}`;
  }

  /** Base address of production's REST side. */
  get production() {
    return `${this.scheme}://${this.addresses['production-rest']}`;
  }

  /**
   * Registers an extension, as an operator does beside the running server. Resolves to its secret
   * once the server knows it.
   */
  async register(extension, owner) {
    const secret = randomBytes(32).toString('base64');
    const flags = ['--client-id', extension, '--owner', owner, '--secret', secret];
    await run(program(), ['extension', 'add', ...flags, '--data', this.data], { env: environment() });
    const authorization = `${extension} ${platformToken(secret, { role: 'viewer', channel: owner, user: owner })}`;
    const late = AbortSignal.timeout(START_MS_MAX);
    let known = false;
    while (!known) {
      known = await succeeds(`${this.production}/v1/e/user_info`, { headers: { authorization }, signal: late });
    }
    return secret;
  }

  /** Where a game of this extension connects. */
  game(extension) {
    return `ws://${this.addresses['sandbox-gamelink']}/0.0.1/${extension}`;
  }

  /** Ends the server as an operator would, and rejects if it does not end well. */
  async stop() {
    this.child.kill('SIGTERM');
    const killed = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS_MAX);
    const end = await this.ended;
    clearTimeout(killed);
    await rm(this.data, { recursive: true, force: true });
    if (end.code !== 0) {
      throw new Error(`the server ended with ${JSON.stringify(end)}\n${this.log.join('\n')}`);
    }
  }
}

/** Whether a GET is answered with 200; over TLS whatever the certificate, which only a browser is to judge. */
async function succeeds(url, options) {
  if (url.startsWith('http:')) {
    const answer = await fetch(url, options);
    await answer.arrayBuffer();
    return answer.ok;
  }
  return new Promise((resolve, reject) => {
    const asked = request(url, { ...options, rejectUnauthorized: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode === 200));
    });
    asked.on('error', reject).end();
  });
}

function keepLog(child) {
  const log = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    if (log.length > LOG_LINES_MAX) log.shift();
  });
  return log;
}

/** `ready sandbox-rest=ADDR …` as an object. */
function readyLine(child) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('no ready line in time')), START_MS_MAX);
    const ended = () => reject(new Error('it ended'));
    child.once('exit', ended);
    child.once('error', ended);
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('ready ')) return;
      clearTimeout(late);
      child.off('exit', ended);
      const pairs = line.split(' ').slice(1).map((pair) => pair.split('='));
      resolve(Object.fromEntries(pairs.map(([name, url]) => [name, url.replace(/^.*:\/\//, '')])));
    });
  });
}
