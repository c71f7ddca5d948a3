import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import {
  startS3Server,
  TESTING_BUCKET,
  TESTING_CREDENTIALS,
  type TestingS3Server,
} from '../../src/artifacts/s3/testing-s3-server.ts';
import { artifactBytes, type ArtifactStore } from '../../src/artifacts/artifacts.ts';
import { createJobRecord } from '../../src/jobs/record.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { smallSpec } from '../../src/policy/planner/testing.ts';
import { builtInKinds } from '../../src/policy/registry.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { namesIn } from '../../src/files/files.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import { openRemoteArtifacts } from './artifacts.ts';
import { jobBundles } from './bundles.ts';
import { dropCheckpoints, findCheckpoint, keepCheckpoint } from './checkpoints.ts';

let server: TestingS3Server;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  [server, folder] = [await startS3Server(), await temporaryFolder()];
  vi.stubEnv('AWS_ACCESS_KEY_ID', TESTING_CREDENTIALS.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', TESTING_CREDENTIALS.secretAccessKey);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await folder.remove();
});

/** State folders of two machines that share an S3 store and nothing else, with credentials of the environment. */
const machine = async (name: string) => {
  const stateDir = join(folder.path, name);
  const address = { url: `s3://${TESTING_BUCKET}/cluster`, endpoint: server.endpoint };
  return { stateDir, artifacts: await openRemoteArtifacts(stateDir, address) };
};

it('a checkpoint that one machine wrote is read on another, and deleted there', async () => {
  const nodes = new MemoryNodes(folder.path);
  const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
  const hold = <T>(work: Promise<T>): Promise<T> => nodes.clock.hold(work);
  /** Virtual time stands still while the store answers. */
  const held = (store: ArtifactStore): ArtifactStore => ({
    put: (content) => hold(store.put(content)),
    async *get(digest) {
      yield await hold(artifactBytes(store, digest));
    },
    has: (digest) => hold(store.has(digest)),
    list: () => store.list(),
    remove: (digest, options) => hold(store.remove(digest, options)),
  });
  const context = await run(nodes.node('parameter-server'));
  const on = async (name: string) => {
    const { stateDir, artifacts } = await machine(name);
    return { ...context, stateDir, artifacts: held(artifacts) };
  };
  const [first, second] = [await on('first'), await on('second')];
  const config = thermostatJob(['evaluation.every=0', 'checkpoint.keep=1']);
  await nodes.clock.run(context.jobs.create(createJobRecord({ id: 'a', config, now: 1 })));
  const spec = smallSpec();
  const parameters = initialParameters(spec);
  const checkpoint = (version: number) => ({ spec, parameters, meta: { version } });
  for (const version of [1, 2]) await run(keepCheckpoint(first, { job: 'a', version }, checkpoint(version)));
  const { record } = (await nodes.clock.run(context.jobs.fetch('a')))!;
  expect(record.checkpoint).toBe('a@2');
  const found = await run(findCheckpoint(second, record, { version: undefined, kinds: builtInKinds }));
  expect(found.checkpoint).toEqual(checkpoint(2));
  expect(await run(dropCheckpoints(second, 'a'))).toEqual([1]);
  expect(await run(first.artifacts.has(record.checkpoints[0]!.digest))).toBe(false);
  // Both have the same weights.
  expect((await run(findCheckpoint(first, record, { version: 2, kinds: builtInKinds }))).entry.version).toBe(2);
  expect(await namesIn(nodeFiles, join(folder.path, 'first'))).toEqual([]);
});

it('a flow that one machine bundled runs on another', async () => {
  const [first, second] = [await machine('first'), await machine('second')];
  const digest = (await jobBundles(first.stateDir, first.artifacts, seededRandom(1)).make(thermostatJob()))!;
  const bundle = await jobBundles(second.stateDir, second.artifacts, seededRandom(2)).open(digest);
  expect(bundle.digest).toBe(digest);
  expect(bundle.folder.startsWith(second.stateDir)).toBe(true);
});
