import { join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { artifactBytes } from '../artifacts.ts';
import { artifactConformance } from '../conformance.ts';
import { sha256 } from '../digest.ts';
import { parseS3Url } from './address.ts';
import { openS3Artifacts, type S3Artifacts, type S3Options } from './s3-artifacts.ts';
import {
  startFaultyWay,
  startS3Server,
  TESTING_BUCKET,
  TESTING_CREDENTIALS,
  type Fault,
  type TestingS3Server,
} from './testing-s3-server.ts';

let server: TestingS3Server;
beforeAll(async () => void (server = await startS3Server()));
afterAll(() => server.close());

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

let stores = 0;
const open = async (more: Partial<S3Options> = {}): Promise<S3Artifacts> => {
  const url = `s3://${TESTING_BUCKET}/test-${(stores += 1)}`;
  const options = { url, endpoint: server.endpoint, credentials: TESTING_CREDENTIALS, spool: join(server.folder, 'spool') };
  const store = await openS3Artifacts({ ...options, ...more });
  opened.push(store);
  return store;
};

async function damage(url: string, digest: string): Promise<void> {
  const { bucket: Bucket, prefix } = parseS3Url(url);
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: server.endpoint,
    forcePathStyle: true,
    credentials: TESTING_CREDENTIALS,
  });
  await client.send(new PutObjectCommand({ Bucket, Key: `${prefix}${digest}`, Body: 'other' }));
  client.destroy();
}

artifactConformance('S3Artifacts', async () => {
  const url = `s3://${TESTING_BUCKET}/conformance-${(stores += 1)}/state`;
  const [store, other] = [await open({ url }), await open({ url })];
  return { store, other, damage: (digest) => damage(url, digest), close: async () => {} };
});

artifactConformance('S3Artifacts in the bucket itself, in small parts', async () => {
  const url = `s3://${TESTING_BUCKET}`;
  const store = await open({ url, partBytes: 2 * 1024 * 1024 });
  const empty = async (): Promise<void> => {
    for await (const { digest } of store.list()) await store.remove(digest);
  };
  await empty();
  return { store, other: store, damage: (digest) => damage(url, digest), close: empty };
});

describe('S3Artifacts', () => {
  const large = Buffer.alloc(7_000_000, 'seven');
  const put = (store: S3Artifacts) => store.put(large);

  it('uploads large content in parts, from bytes and from a stream, and leaves nothing behind', async () => {
    const store = await open({ partBytes: 5 * 1024 * 1024 });
    async function* pieces(): AsyncIterable<Uint8Array> {
      for (let at = 0; at < large.length; at += 999_999) yield large.subarray(at, at + 999_999);
    }
    const streamed = await store.put(pieces());
    expect(streamed).toEqual({ digest: sha256(large), size: large.length, putAt: expect.any(Number) as number });
    expect(large.equals(await artifactBytes(store, streamed.digest))).toBe(true);
    expect((await put(store)).digest).toBe(streamed.digest);
    expect(await readdir(join(server.folder, 'spool'))).toEqual([]);
  });

  it('goes on where a download broke off', async () => {
    let cuts = 0;
    const way = await startFaultyWay(server.endpoint, ({ method }) =>
      method === 'GET' && (cuts += 1) <= 3 ? { cutAfter: 2_000_000 } : 'pass',
    );
    opened.push(way);
    const store = await open({ endpoint: way.endpoint });
    const { digest } = await put(store);
    expect(large.equals(await artifactBytes(store, digest))).toBe(true);
    expect(cuts).toBe(4);
  });

  it('tries again what the store could not answer', async () => {
    let refused = 0;
    const busy: Fault = (incoming, response) => {
      if (incoming.method === 'HEAD' || (refused += 1) % 2 === 0) return 'pass';
      incoming.resume();
      response.writeHead(503).end('<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>');
      return 'answered';
    };
    const way = await startFaultyWay(server.endpoint, busy);
    opened.push(way);
    const store = await open({ endpoint: way.endpoint });
    const { digest } = await store.put(Buffer.from('kept'));
    expect(Buffer.from(await artifactBytes(store, digest)).toString()).toBe('kept');
  });

  it('says what is wrong with a bucket, credentials or an address', async () => {
    const failure = async (more: Partial<S3Options>): Promise<unknown> =>
      (await open({ attempts: 1, ...more })).put(Buffer.from('x')).then(
        () => 'no error',
        (error: unknown) => error,
      );
    const message = (text: RegExp) => expect.stringMatching(text) as string;
    expect(await failure({ url: 's3://no-such-bucket/x' })).toMatchObject({
      ...{ code: 'failed_precondition', field: 'artifacts.url', message: message(/there is no bucket "no-such-bucket"/) },
    });
    const accessKeyId = 'UNKNOWN';
    expect(await failure({ credentials: { ...TESTING_CREDENTIALS, accessKeyId } })).toMatchObject({
      ...{ code: 'permission_denied', message: message(/they need s3:GetObject/) },
    });
    const nobody = await startFaultyWay(server.endpoint, () => 'pass');
    await nobody.close();
    expect(await failure({ endpoint: nobody.endpoint })).toMatchObject({ code: 'unavailable', retryable: true });
    const silent = await startFaultyWay(server.endpoint, () => 'answered');
    opened.push(silent);
    expect(await failure({ endpoint: silent.endpoint, silentMs: 200 })).toMatchObject({
      code: 'deadline_exceeded',
      retryable: true,
    });
    await expect(openS3Artifacts({ url: 'https://x/y', spool: '/tmp' })).rejects.toMatchObject({ field: 'artifacts.url' });
  });

  it('removes spools that were left behind', async () => {
    const store = await open({ spool: join(server.folder, 'left') });
    await store.put(
      (async function* () {
        yield Buffer.from('a');
      })(),
    );
    await store.removeDrafts(Date.now() + 1000);
    expect(await readdir(join(server.folder, 'left'))).toEqual([]);
  });
});
