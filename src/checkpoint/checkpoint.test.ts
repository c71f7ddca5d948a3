import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountSmallDisk } from '../telemetry/testing-small-disk.ts';
import { MillraceError } from '../errors.ts';
import { initialParameters } from '../policy/planner/layout.ts';
import { smallSpec } from '../policy/planner/testing.ts';
import { EXPLORATION, MANIFEST, MODEL, OPTIMIZER, TRAINED } from './checkpoint.ts';
import { loadCheckpoint } from './load.ts';
import { decodeSafetensors, encodeSafetensors } from '../tensor-files/safetensors.ts';
import { saveCheckpoint } from './save.ts';

const spec = smallSpec();
const parameters = initialParameters(spec);
const optimizer = {
  m: parameters.values.map((value) => value / 2),
  v: parameters.values.map((value) => value * value),
  step: 17,
};
const checkpoint = { spec, parameters, optimizer, meta: { job: 'retail', version: 3 } };

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-checkpoint-'));
  path = join(folder, 'jobs', 'v000003');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('saveCheckpoint and loadCheckpoint', () => {
  it('give back what was saved', async () => {
    await saveCheckpoint(path, checkpoint);
    expect(await loadCheckpoint(path)).toEqual(checkpoint);
    expect((await readdir(path)).sort()).toEqual([MANIFEST, MODEL, OPTIMIZER].sort());
  });

  it('keep what exploration knew, where it knew something', async () => {
    const exploration = new TextEncoder().encode('{"format":1}');
    await saveCheckpoint(path, { ...checkpoint, exploration });
    expect(await loadCheckpoint(path)).toEqual({ ...checkpoint, exploration });
    await writeFile(join(path, EXPLORATION), '{"format":2}');
    await expect(loadCheckpoint(path)).rejects.toMatchObject({ code: 'data_loss' });
  });

  it('keep the weights that training goes on from, where the ones to use are an average', async () => {
    const averaged = { ...checkpoint, trained: parameters.values.map((value) => value + 1) };
    await saveCheckpoint(path, averaged);
    expect(await loadCheckpoint(path)).toEqual(averaged);
    await rm(join(path, TRAINED));
    await expect(loadCheckpoint(path)).rejects.toMatchObject({ code: 'data_loss' });
  });

  it('replace an older one and leave nothing else behind', async () => {
    await saveCheckpoint(path, checkpoint);
    await saveCheckpoint(path, { spec, parameters, meta: { version: 4 } });
    expect(await loadCheckpoint(path)).toEqual({ spec, parameters, meta: { version: 4 } });
    expect(await readdir(join(folder, 'jobs'))).toEqual(['v000003']);
  });

  it('say that there is none', async () => {
    await expect(loadCheckpoint(path)).rejects.toMatchObject({ code: 'not_found', field: 'checkpoint' });
  });

  it('leave no draft when the place cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(saveCheckpoint(join(folder, 'file', 'v1'), checkpoint)).rejects.toMatchObject({ code: 'internal' });
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('leave no draft on a full disk, and what was there as it was', async ({ skip }) => {
    const disk = mountSmallDisk(join(folder, 'disk'), 2);
    if (disk === undefined) return skip('a small disk can only be mounted as root');
    try {
      const [older, newer] = [join(disk.path, 'job', 'v1'), join(disk.path, 'job', 'v2')];
      await saveCheckpoint(older, checkpoint);
      disk.fill();
      const full = { code: 'internal', message: expect.stringContaining('ENOSPC') as string };
      await expect(saveCheckpoint(newer, checkpoint)).rejects.toMatchObject(full);
      await expect(saveCheckpoint(older, { ...checkpoint, meta: { version: 9 } })).rejects.toMatchObject(full);
      expect(await readdir(join(disk.path, 'job'))).toEqual(['v1']);
      expect(await loadCheckpoint(older)).toEqual(checkpoint);
      disk.clear();
      await saveCheckpoint(newer, checkpoint);
      expect(await loadCheckpoint(newer)).toEqual(checkpoint);
    } finally {
      disk.unmount();
    }
  });

  it.each<[string, () => Promise<unknown>, string, RegExp]>([
    ['a missing file', () => rm(join(path, MODEL)), 'data_loss', /incomplete.*model\.safetensors/],
    ['a cut file', () => truncate(join(path, OPTIMIZER), 100), 'data_loss', /optimizer\.safetensors is damaged/],
    ['a manifest that is not JSON', () => writeFile(join(path, MANIFEST), '{'), 'data_loss', /manifest\.json is damaged/],
    ['an empty manifest', () => writeFile(join(path, MANIFEST), 'null'), 'data_loss', /names no format/],
    [
      'another format',
      () => edit({ format: 9 }),
      'failed_precondition',
      /newer version of Millrace wrote .* \(format 9; this version reads 1\)/,
    ],
    [
      'another specification',
      () => edit({ spec: { ...spec, hidden: 9 } }),
      'data_loss',
      /item\.weight has shape \[15, 7\].*needs \[15, 9\]/,
    ],
    ['an impossible specification', () => edit({ spec: { ...spec, hidden: -1 } }), 'data_loss', /hidden/],
  ])('refuse %s', async (_, damage, code, message) => {
    await saveCheckpoint(path, checkpoint);
    await damage();
    await expect(loadCheckpoint(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  async function edit(change: object): Promise<void> {
    const manifest = JSON.parse(await readFile(join(path, MANIFEST), 'utf8')) as object;
    await writeFile(join(path, MANIFEST), JSON.stringify({ ...manifest, ...change }));
  }
});

describe('safetensors', () => {
  const tensors = [
    { name: 'a', shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, -6) },
    { name: 'näme', shape: [], values: Float32Array.of(0.5) },
  ];

  it('has the layout of the format', () => {
    const file = encodeSafetensors(tensors, { who: 'test' });
    const headerLength = Number(new DataView(file.buffer).getBigUint64(0, true));
    expect(headerLength % 8).toBe(0);
    expect(JSON.parse(Buffer.from(file.subarray(8, 8 + headerLength)).toString())).toEqual({
      __metadata__: { who: 'test' },
      a: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
      näme: { dtype: 'F32', shape: [], data_offsets: [24, 28] },
    });
    expect(decodeSafetensors(file, 'x')).toEqual({ tensors, metadata: { who: 'test' } });
  });

  it('calls any damage data loss, or reads other values', () => {
    const file = encodeSafetensors(tensors);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (position, change, cut) => {
        const damaged = cut ? file.slice(0, position) : file.map((byte, index) => (index === position ? byte ^ change : byte));
        try {
          decodeSafetensors(damaged, 'x');
          expect(cut).toBe(false);
        } catch (error) {
          if (!(error instanceof MillraceError)) throw error;
          expect(error.code).toBe('data_loss');
        }
      }),
    );
  });
});
