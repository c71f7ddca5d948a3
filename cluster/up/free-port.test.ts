import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { freePort } from './free-port.ts';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => void servers.splice(0).forEach((server) => server.close()));

function listen(port: number): Promise<number> {
  const server = createServer();
  servers.push(server);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

it('is none that Linux gives to others meanwhile', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => freePort()));
  for (const port of ports) expect(port).toBeLessThan(32_768);
  await expect(listen(ports[0]!)).resolves.toBe(ports[0]);
});

it('is the preferred one, or another when that is taken', async () => {
  const preferred = await freePort();
  expect(await freePort(preferred)).toBe(preferred);
  await listen(preferred);
  expect(await freePort(preferred)).not.toBe(preferred);
});
