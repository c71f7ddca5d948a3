import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileArtifacts } from '../artifacts/file-artifacts.ts';
import { VirtualClock } from '../clock/virtual.ts';
import { namesIn } from '../files/files.ts';
import { fileError, MemoryFiles, type FileOperation } from '../files/memory-files.ts';
import { initialParameters } from '../policy/planner/layout.ts';
import { smallSpec } from '../policy/planner/testing.ts';
import { seededRandom } from '../random/seeded.ts';
import type { Checkpoint } from './checkpoint.ts';
import { checkpointExists, loadCheckpoint } from './load.ts';
import { saveCheckpoint } from './save.ts';

const spec = smallSpec();
const parameters = initialParameters(spec);
const optimizer = { m: parameters.values.map((value) => value / 2), v: parameters.values.map((value) => value ** 2), step: 17 };
const older: Checkpoint = { spec, parameters, meta: { version: 3 } };
const trained = { ...parameters, values: parameters.values.map((value) => value + 1) };
const newer: Checkpoint = { spec, parameters: trained, optimizer, meta: { version: 4 } };
const PATH = '/state/checkpoints/job/v000003';

/** Saves a checkpoint into `files`, with its content in the artifacts as well, or not. */
const save = (files: MemoryFiles, checkpoint: Checkpoint, artifacts: boolean): Promise<unknown> =>
  saveCheckpoint(PATH, checkpoint, { files, ...(artifacts && { artifacts: new FileArtifacts('/state/artifacts', files) }) });

/** A state folder, with the older checkpoint or without. */
async function before({ replaced, artifacts }: { replaced: boolean; artifacts: boolean }): Promise<MemoryFiles> {
  const files = new MemoryFiles({ clock: new VirtualClock() });
  await files.makeFolder('/state');
  await files.syncFolder('/');
  if (replaced) await save(files, older, artifacts);
  return files;
}

/** The machine crashes when `crashAt` operations of the newer checkpoint's save have been done, or after it. */
async function crashDuringSave(
  options: { replaced: boolean; artifacts: boolean },
  crashAt: number,
  seed: number,
): Promise<{ left: MemoryFiles; saved: boolean }> {
  const machine = await before(options);
  let operations = 0;
  let left: MemoryFiles | undefined;
  const dying = machine.shared(() => {
    if (operations === crashAt) left = machine.crash(seededRandom(seed));
    operations += 1;
  });
  const saved = await save(dying, newer, options.artifacts).then(
    () => true,
    () => false,
  );
  return { left: left ?? machine.crash(seededRandom(seed)), saved };
}

async function operationsOfSave(options: { replaced: boolean; artifacts: boolean }): Promise<FileOperation[]> {
  const operations: FileOperation[] = [];
  const files = (await before(options)).shared((operation) => void operations.push(operation));
  await save(files, newer, options.artifacts);
  return operations;
}

/** What is at the checkpoint's path: throws for one that is there and not whole. */
async function found(files: MemoryFiles): Promise<'newer' | 'older' | 'none'> {
  if (!(await checkpointExists(PATH, files))) {
    // The folder comes with all its files or not at all.
    await expect(files.list(PATH)).rejects.toMatchObject({ code: 'ENOENT' });
    return 'none';
  }
  const checkpoint = await loadCheckpoint(PATH, { files });
  const which = checkpoint.meta['version'] === 4 ? 'newer' : 'older';
  expect(isDeepStrictEqual(checkpoint, which === 'newer' ? newer : older)).toBe(true);
  return which;
}

const CASES = [
  { replaced: false, artifacts: false },
  { replaced: false, artifacts: true },
  { replaced: true, artifacts: false },
  { replaced: true, artifacts: true },
];

describe.each(CASES)('a crash while a checkpoint is saved (%o)', (options) => {
  it('leaves it complete, or the one before, or none, wherever it comes', async () => {
    const { length } = await operationsOfSave(options);
    expect(length).toBeGreaterThan(10);
    const outcomes = new Set<string>();
    for (let crashAt = 0; crashAt <= length; crashAt += 1) {
      for (let seed = 0; seed < 8; seed += 1) {
        const { left, saved } = await crashDuringSave(options, crashAt, seed);
        expect(saved).toBe(crashAt === length);
        const which = await found(left);
        outcomes.add(which);
        if (saved) expect(which).toBe('newer');
      }
    }
    expect(outcomes).toEqual(new Set(options.replaced ? ['newer', 'older', 'none'] : ['newer', 'none']));
  });

  it('leaves it to be saved again, for any outcome of several crashes', async () => {
    const { length } = await operationsOfSave(options);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(length), fc.nat()), { minLength: 1, maxLength: 3 }), async (crashes) => {
        let files = await before(options);
        for (const [crashAt, seed] of crashes) {
          let [operations, after] = [0, undefined as MemoryFiles | undefined];
          const dying = files.shared(() => {
            if ((operations += 1) > crashAt) after ??= files.crash(seededRandom(seed));
          });
          await save(dying, newer, options.artifacts).catch(() => {});
          files = after ?? files.crash(seededRandom(seed));
          await found(files);
        }
        await save(files, newer, options.artifacts);
        expect(await found(files)).toBe('newer');
        expect(await found(files.crash(seededRandom(0)))).toBe('newer');
      }),
      { numRuns: 40 },
    );
  });

  it('leaves what was there when an operation fails, and no draft', async () => {
    const operationsOf = await operationsOfSave(options);
    const inPlace = operationsOf.findLastIndex(({ name, to }) => name === 'rename' && to === PATH);
    for (let failing = 0; failing < operationsOf.length; failing += 1) {
      const machine = await before(options);
      let operations = 0;
      const full = machine.shared(({ name, path }) => {
        if ((operations += 1) === failing + 1) throw fileError('EIO', name, path);
      });
      const saved = await save(full, newer, options.artifacts).then(
        () => true,
        () => false,
      );
      expect(await found(machine)).toBe(saved || failing > inPlace ? 'newer' : options.replaced ? 'older' : 'none');
      if (failing <= inPlace) expect((await namesIn(machine, dirname(PATH))).filter((name) => name.startsWith('.'))).toEqual([]);
    }
  });
});
