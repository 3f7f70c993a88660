import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY_WITHIN_MS = 30_000;

/** One address signs many people up here. */
const PATIENT = { TIDINGS__AUTH__LOGIN_ATTEMPTS_PER_MINUTE: '10000' };

/** The binary under test; without it these tests are skipped, and say so. */
export const binary = process.env.TIDINGS_BIN;
export const skip = binary || process.env.TIDINGS_URL ? false : 'TIDINGS_BIN names no tidings binary';

/** A port of this machine that is free now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/**
 * Starts `tidings dev` with its data in a temporary folder; it can be stopped and started again on the same data.
 * With TIDINGS_URL it uses a server that is there already.
 * @param {{ env?: Record<string, string> }} [options]
 */
export async function startServer({ env = {} } = {}) {
  if (!binary) return { url: process.env.TIDINGS_URL, stop: async () => {}, restart: async () => {} };
  const data = await mkdtemp(join(tmpdir(), 'tidings-web-'));
  const [port, ops] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  let child;
  let log = '';

  async function start() {
    child = spawn(binary, ['dev', '--listen', `127.0.0.1:${port}`, '--ops-listen', `127.0.0.1:${ops}`, '--data-dir', data], {
      stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...PATIENT, ...env },
    });
    const collect = (chunk) => {
      log = (log + chunk).slice(-20_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const end = Date.now() + READY_WITHIN_MS;
    while (!(await ready(ops))) {
      if (child.exitCode !== null || Date.now() > end) throw new Error(`tidings dev did not become ready:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  function end(signal) {
    if (child.exitCode !== null || child.signalCode !== null) return undefined;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return ended;
  }

  await start();
  return {
    url,
    /** What the server wrote last. */
    log: () => log,
    /** Ends it as a crash would, and starts it on the same data. */
    async restart() {
      await end('SIGKILL');
      await start();
    },
    async stop() {
      await end('SIGKILL');
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function ready(port) {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthz/ready`)).ok;
  } catch {
    return false;
  }
}
