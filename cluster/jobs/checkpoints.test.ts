import { existsSync, rmSync, statSync, truncateSync, writeFileSync, readFileSync, copyFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import type { FileArtifacts } from '../../src/artifacts/file-artifacts.ts';
import { MODEL, OPTIMIZER } from '../../src/checkpoint/checkpoint.ts';
import { loadCheckpoint, readStoredManifest } from '../../src/checkpoint/load.ts';
import { checkpointPath } from '../../src/checkpoint/paths.ts';
import { emptyLedger, end } from '../../src/jobs/ledger.ts';
import { createJobRecord, type JobRecord } from '../../src/jobs/record.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { smallSpec } from '../../src/policy/planner/testing.ts';
import { builtInKinds } from '../../src/policy/registry.ts';
import type { NodeContext } from '../runtime/context.ts';
import { dropCheckpoints, findCheckpoint, keepCheckpoint } from './checkpoints.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let nodes: MemoryNodes;
let context: NodeContext;
let artifacts: FileArtifacts;
beforeEach(async () => {
  folder = await temporaryFolder();
  nodes = new MemoryNodes(folder.path);
  context = await run(nodes.node('parameter-server'));
  artifacts = context.artifacts as FileArtifacts;
  const config = thermostatJob(['evaluation.every=0', 'checkpoint.keep=2']);
  for (const id of ['a', 'b']) await run(context.jobs.create(createJobRecord({ id, config, now: 1 })));
});
afterEach(() => folder.remove());

const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
const spec = smallSpec();
const parameters = initialParameters(spec);
/** Every checkpoint has the same weights, and moments of its own. */
const keep = (job: string, version: number) =>
  run(
    keepCheckpoint(
      context,
      { job, version },
      {
        ...{ spec, parameters, meta: { job, version } },
        optimizer: { m: parameters.values.map((value) => value * version), v: parameters.values, step: version },
        training: { version, seed: 1, trainSeconds: version, ledger: end(emptyLedger(), 0, 'trained', 4) },
      },
    ),
  );
const record = async (job: string): Promise<JobRecord> => (await run(context.jobs.fetch(job)))!.record;
const versions = async (job: string): Promise<number[]> => (await record(job)).checkpoints.map(({ version }) => version);
const find = async (job: string, version?: number) =>
  run(findCheckpoint(context, await record(job), { version, kinds: builtInKinds }));
/** Path of a file of a checkpoint. */
const pathOf = async (job: string, version: number, file: string): Promise<string> => {
  const { digest } = (await record(job)).checkpoints.find((entry) => entry.version === version)!;
  return artifacts.pathOf((await run(readStoredManifest(artifacts, digest))).files[file]!);
};

describe('the checkpoints of a job', () => {
  it('hold all that training goes on from', async () => {
    const { digest, bytes } = await keep('a', 3);
    expect((await record('a')).checkpoints).toEqual([{ version: 3, digest, bytes, at: expect.any(Number) as number }]);
    const { checkpoint } = await find('a');
    expect(checkpoint.optimizer?.step).toBe(3);
    expect(checkpoint.training).toMatchObject({
      version: 3,
      seed: 1,
      trainSeconds: 3,
      ledger: { trained: 1n, trajectories: 4n },
    });
    // The folder has the same.
    expect(await loadCheckpoint(checkpointPath(folder.path, 'a', 3))).toEqual(checkpoint);
    expect((await record('a')).checkpoint).toBe(checkpointPath(folder.path, 'a', 3));
  });

  it('go with what they alone refer to', async () => {
    await keep('b', 1);
    for (const version of [1, 2, 3]) await keep('a', version);
    const [model, first, second] = [
      await pathOf('a', 1, MODEL),
      await pathOf('a', 1, OPTIMIZER),
      await pathOf('a', 2, OPTIMIZER),
    ];
    expect(statSync(model).nlink).toBe(5);
    expect(await run(dropCheckpoints(context, 'a'))).toEqual([1]);
    expect(await versions('a')).toEqual([2, 3]);
    expect(existsSync(checkpointPath(folder.path, 'a', 1))).toBe(false);
    // Job b has the same moments at its version 1.
    expect([model, first, second].map((path) => existsSync(path))).toEqual([true, true, true]);
    await keep('a', 4);
    await run(dropCheckpoints(context, 'a'));
    expect([model, first, second].map((path) => existsSync(path))).toEqual([true, true, false]);
    // The folder of a checkpoint is whole without the artifacts.
    rmSync(join(folder.path, 'artifacts'), { recursive: true });
    expect((await loadCheckpoint(checkpointPath(folder.path, 'a', 4))).optimizer!.step).toBe(4);
  });

  const flip = (path: string): void => {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes, { mode: 0o600 });
  };
  const replaced = (path: string, change: (copy: string) => void): void => {
    // Not in place: another checkpoint may share the content.
    copyFileSync(path, `${path}.copy`);
    change(`${path}.copy`);
    unlinkSync(path);
    copyFileSync(`${path}.copy`, path);
    unlinkSync(`${path}.copy`);
  };

  it.each<[string, (path: (file: string) => Promise<string>, manifest: string) => Promise<void>]>([
    ['a truncated file', async (path) => replaced(await path(OPTIMIZER), (copy) => truncateSync(copy, 100))],
    ['a flipped bit', async (path) => replaced(await path(OPTIMIZER), flip)],
    ['a missing file', async (path) => rmSync(await path(OPTIMIZER))],
    ['a missing training state', async (path) => rmSync(await path('training.json'))],
    ['a manifest of something else', (_, manifest) => Promise.resolve(writeFileSync(manifest, '{"format":1}'))],
    ['a truncated manifest', (_, manifest) => Promise.resolve(truncateSync(manifest, 20))],
    ['a missing manifest', (_, manifest) => Promise.resolve(rmSync(manifest))],
  ])('are left out with %s: the one before is used, and the job has a notice', async (_, damage) => {
    for (const version of [1, 2]) await keep('a', version);
    const { digest } = (await record('a')).checkpoints.at(-1)!;
    await damage((file) => pathOf('a', 2, file), artifacts.pathOf(digest));
    const report = vi.spyOn(context.notices, 'report');
    const { entry, checkpoint } = await find('a');
    expect([entry.version, checkpoint.optimizer?.step]).toEqual([1, 1]);
    const notice = {
      code: 'CHECKPOINT_DAMAGED',
      subject: 'version 2',
      message: expect.stringMatching(/the one before it/) as string,
    };
    expect(report).toHaveBeenCalledWith('a', notice);
    // Whoever asks for it by its version is not given another.
    await expect(find('a', 2)).rejects.toMatchObject({ code: 'data_loss', field: 'from' });
    expect((await find('a', 1)).entry.version).toBe(1);
    // Written again it is whole.
    await keep('a', 2);
    expect((await find('a')).entry.version).toBe(2);
  });

  it('are refused where none is whole, or none is there', async () => {
    await expect(find('a')).rejects.toMatchObject({ code: 'not_found', message: 'Job "a" does not have a checkpoint.' });
    await keep('a', 1);
    await expect(find('a', 7)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(/versions 1 are/) as string,
    });
    rmSync(await pathOf('a', 1, MODEL));
    await expect(find('a')).rejects.toMatchObject({ code: 'data_loss' });
  });
});
