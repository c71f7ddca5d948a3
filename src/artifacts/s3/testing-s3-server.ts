import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What is used of s3rver, which has no types of its own. */
interface S3Rver {
  run(): Promise<AddressInfo>;
  close(): Promise<void>;
}

/** An S3 store in this process, at 127.0.0.1. */
export interface TestingS3Server {
  endpoint: string;
  /** A folder beside its own, for spools. */
  folder: string;
  close(): Promise<void>;
}

/** Credentials that the server takes. */
export const TESTING_CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
export const TESTING_BUCKET = 'artifacts-of-tests';

/** Starts a store that has one empty bucket. */
export async function startS3Server(): Promise<TestingS3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-s3-'));
  const { default: Server } = (await import('@20minutes/s3rver' as string)) as { default: new (options: object) => S3Rver };
  // Its own signature of a request with a query is another one; it refuses keys that it does not know.
  const address = { address: '127.0.0.1', port: 0, silent: true, vhostBuckets: false, allowMismatchedSignatures: true };
  const server = new Server({
    ...address,
    directory: join(folder, 'server'),
    configureBuckets: [{ name: TESTING_BUCKET, configs: [] }],
  });
  const { port } = await server.run();
  return {
    ...{ endpoint: `http://127.0.0.1:${port}`, folder },
    async close() {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Decides what becomes of a request: `pass`, or it has been answered. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => 'pass' | 'answered' | { cutAfter: number };

/** A way to a server on which requests go wrong. */
export async function startFaultyWay(endpoint: string, fault: Fault): Promise<{ endpoint: string; close(): Promise<void> }> {
  const server: Server = createServer((incoming, outgoing) => {
    const fate = fault(incoming, outgoing);
    if (fate === 'answered') return;
    const { method, headers, url } = incoming;
    const onward = request(new URL(url!, endpoint), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      if (fate === 'pass') return void answer.pipe(outgoing);
      let left = fate.cutAfter;
      answer.on('data', (chunk: Buffer) => {
        outgoing.write(chunk.subarray(0, Math.max(0, left)));
        if ((left -= chunk.length) <= 0) outgoing.destroy();
      });
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
