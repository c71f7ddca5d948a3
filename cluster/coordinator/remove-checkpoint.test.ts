import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { MANIFEST, MODEL, OPTIMIZER } from '../../src/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { saveCheckpoint } from '../../src/checkpoint/save.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { smallSpec } from '../../src/policy/planner/testing.ts';
import { artifactsOf, referencesOf } from '../jobs/artifacts.ts';
import { removeCheckpoint } from './remove-checkpoint.ts';

it('deletes a checkpoint with the artifacts that no other one refers to', async () => {
  const folder = await temporaryFolder();
  const spec = smallSpec();
  const parameters = initialParameters(spec);
  const artifacts = artifactsOf(folder.path);
  const path = (name: string): string => join(folder.path, 'checkpoints', 'job', name);
  const moments = (scale: number) => ({ m: parameters.values.map((value) => value * scale), v: parameters.values, step: 1 });
  for (const [name, scale] of [
    ['v000001', 1],
    ['v000002', 2],
  ] as const)
    await saveCheckpoint(path(name), { spec, parameters, optimizer: moments(scale), meta: {} }, { artifacts });
  expect(statSync(join(path('v000001'), MODEL)).nlink).toBe(3);
  const first = (await referencesOf(path('v000001'), nodeFiles))!.files;

  await removeCheckpoint({ artifacts, files: nodeFiles, stateDir: folder.path }, path('v000001'));
  expect(existsSync(path('v000001'))).toBe(false);
  // Both have the same weights, and moments of their own.
  expect(await Promise.all(first.map((digest) => artifacts.has(digest)))).toEqual([true, false]);

  // The folder of a checkpoint is whole without the store.
  for await (const { digest } of artifacts.list()) await artifacts.remove(digest);
  expect((await loadCheckpoint(path('v000002'))).optimizer!.step).toBe(1);
  expect([MANIFEST, MODEL, OPTIMIZER].every((name) => existsSync(join(path('v000002'), name)))).toBe(true);
  await folder.remove();
});
