import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { systemClock } from '../../src/clock/system.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { MODEL } from '../../src/checkpoint/checkpoint.ts';
import { saveCheckpoint } from '../../src/checkpoint/save.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import { writeFiles } from '../../src/flow/bundle/testing.ts';
import { createJobRecord } from '../../src/jobs/record.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { smallSpec } from '../../src/policy/planner/testing.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { artifactsOf, folderReferences } from '../jobs/artifacts.ts';
import { jobBundles } from '../jobs/bundles.ts';
import type { JobDirectory } from '../jobs/directory.ts';
import { deleteUnusedArtifacts } from './unused-artifacts.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

const HOUR = 3600_000;

function setUp() {
  const stateDir = folder.path;
  const artifacts = artifactsOf(stateDir);
  const bundles = jobBundles(stateDir, artifacts, seededRandom(1));
  const codes: (string | undefined)[] = [];
  let unreadable: object[] = [];
  const records = () => codes.map((code, i) => createJobRecord({ id: `job-${i}`, config: thermostatJob(), now: 0, code }));
  const jobs = {
    list: () => records().map((record) => ({ record, revision: 1 })),
    unreadable: () => unreadable,
  } as unknown as JobDirectory;
  const bus = memoryBus({ clock: systemClock });
  const context = { artifacts, bus, bundles, files: nodeFiles, jobs, log: silentLogger(), stateDir };
  /** A bundle of a flow with data of its own. */
  const bundle = async (name: string): Promise<string> => {
    writeFiles(folder.path, { [`${name}/flow.mjs`]: `export default '${name}';`, [`${name}/data.txt`]: name });
    const config = { ...thermostatJob(), flow: join(folder.path, name, 'flow.mjs'), data: join(folder.path, name, 'data.txt') };
    return (await bundles.make(config))!;
  };
  const left = async (): Promise<number> => {
    let count = 0;
    for await (const _ of artifacts.list()) count += 1;
    return count;
  };
  const sweep = (hours = 2) =>
    deleteUnusedArtifacts({ ...context, clock: { ...systemClock, now: () => systemClock.now() + hours * HOUR } });
  return {
    ...{ artifacts, bundles, codes, bundle, left, sweep, stateDir },
    setUnreadable: (list: object[]) => (unreadable = list),
  };
}

it('deletes what no job and no checkpoint refers to', async () => {
  const { artifacts, bundles, codes, bundle, left, sweep, stateDir } = setUp();
  codes.push(await bundle('used'), undefined);
  const unused = await bundle('unused');
  await bundles.open(codes[0]!);
  const copy = (await bundles.open(unused)).folder;
  const spec = smallSpec();
  const path = join(stateDir, 'checkpoints', 'gone', 'v000001');
  const code = await bundle('evaluated');
  await saveCheckpoint(path, { spec, parameters: initialParameters(spec), meta: { code } }, { artifacts });
  // Three bundles of a manifest, a module and data; a manifest and a file of weights.
  expect(await left()).toBe(11);
  await sweep();
  // The manifest of a checkpoint that no record lists is in its folder.
  expect(await left()).toBe(7);
  expect(existsSync(copy)).toBe(false);
  expect((await bundles.open(codes[0]!)).digest).toBe(codes[0]);
  expect(await artifacts.has((await folderReferences(stateDir, nodeFiles))[0]!.files[0]!)).toBe(true);
  await bundles.open(code);
  expect(existsSync(join(path, MODEL))).toBe(true);
});

it('leaves what a starting job is about to refer to', async () => {
  const { artifacts, bundle, bundles, left, sweep } = setUp();
  const digest = await bundle('started');
  await sweep(0.5);
  expect(await left()).toBe(3);
  // Left by another job long ago, and put again just now.
  const old = new Date(Date.now() - 5 * HOUR);
  for await (const info of artifacts.list()) utimesSync(artifacts.pathOf(info.digest), old, old);
  await bundle('started');
  await sweep(0);
  expect((await bundles.open(digest)).digest).toBe(digest);
});

it('deletes nothing while it cannot tell what is used', async () => {
  const { artifacts, codes, bundle, left, sweep, setUnreadable } = setUp();
  await bundle('unused');
  setUnreadable([{ id: 'bad', revision: 1, problem: 'truncated' }]);
  await sweep();
  expect(await left()).toBe(3);
  setUnreadable([]);
  codes.push(await bundle('used'));
  writeFileSync(artifacts.pathOf(codes[0]!), '{');
  await sweep();
  expect(await left()).toBe(6);
});
