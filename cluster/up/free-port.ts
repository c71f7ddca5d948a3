import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that Linux gives to connections and to servers that ask for any (from 32768 on by default): whoever listens here later
 * has named the port, so that it stays free until the process that it is for has started.
 */
const CHOSEN_FROM = { min: 20_000, max: 32_767 };
const TRIES = 20;

/** A port of this machine that nobody listens on right now; `preferred`, when it is one. */
export async function freePort(preferred = 0, host = '127.0.0.1'): Promise<number> {
  const candidates = Array.from({ length: TRIES }, () => randomInt(CHOSEN_FROM.min, CHOSEN_FROM.max + 1));
  if (preferred !== 0) candidates.unshift(preferred);
  for (const port of candidates) {
    const opened = await open(port, host).catch(() => undefined);
    if (opened !== undefined) return opened;
  }
  return open(0, host);
}

function open(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
