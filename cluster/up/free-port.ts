import { createServer } from 'node:net';

/** A port of this machine that nobody listens on right now; `preferred`, when it is one. */
export async function freePort(preferred = 0, host = '127.0.0.1'): Promise<number> {
  if (preferred === 0) return open(0, host);
  try {
    return await open(preferred, host);
  } catch {
    return open(0, host);
  }
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
