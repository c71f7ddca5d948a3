import { rm, truncate } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import { createJobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import { parameterCount } from '../../src/policy/policy.ts';
import { artifactsOf } from '../jobs/artifacts.ts';
import { jobBundles } from '../jobs/bundles.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import { loadJobRuntime } from '../jobs/runtime.ts';
import { storeInitialWeights } from './initial-weights.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

it("checks a version without a checkpoint against its job's bundle", async () => {
  const config = thermostatJob();
  const runtime = await loadJobRuntime(config, REAL_PORTS);
  const artifacts = artifactsOf(folder.path);
  const bundles = jobBundles(folder.path, artifacts, seededRandom(1));
  const digest = (await bundles.make(config))!;
  const record = createJobRecord({ id: 'first', config, now: 0, code: digest });
  const manifest = create(WeightManifestSchema, { job: 'first', version: 3 });
  const context = {
    ...{ artifacts, bundles },
    files: nodeFiles,
    stateDir: folder.path,
    jobs: { fetch: () => Promise.resolve({ record, revision: 1 }) },
    weights: {
      latest: () => Promise.resolve({ manifest, revision: 1 }),
      fetch: () => Promise.resolve(new Uint8Array(4 * parameterCount(runtime.kind.layout(runtime.spec)))),
    },
    outside: <T>(work: Promise<T>) => work,
  } as unknown as NodeContext;
  const keep = () => storeInitialWeights(context, 'second', runtime, { job: 'first', version: undefined });

  // The job's files would do, but its code is another, and cannot be read.
  await truncate(artifacts.pathOf(digest), 10);
  await expect(keep()).rejects.toMatchObject({ code: 'unavailable', field: 'code' });
  await rm(artifacts.pathOf(digest));
  expect(await keep()).toMatchObject({ from: 'first@3', initialCheckpoint: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
});
