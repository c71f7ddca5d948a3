import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findGpus, parseGpus, selectGpus } from './gpus.ts';

const LISTED = parseGpus('0, GPU-aaaa-1, NVIDIA H200, 143771\n1, GPU-bbbb-2, NVIDIA H100 80GB HBM3, 81559\n');
const [H200, H100] = [
  { name: 'NVIDIA H200', memoryMiB: 143_771 },
  { name: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559 },
];

describe('parseGpus', () => {
  it('reads a line for each GPU', () => {
    expect(LISTED).toEqual([
      { index: '0', uuid: 'GPU-aaaa-1', ...H200 },
      { index: '1', uuid: 'GPU-bbbb-2', ...H100 },
    ]);
  });

  it('takes a name with commas and a memory that is not known', () => {
    expect(parseGpus('3, GPU-c, GPU, of some kind, [N/A]')).toEqual([
      { index: '3', uuid: 'GPU-c', name: 'GPU, of some kind', memoryMiB: undefined },
    ]);
  });

  it.each(['', 'No devices were found\n', 'NVIDIA-SMI has failed because it could not communicate, with, the, driver'])(
    'finds none in %j',
    (text) => expect(parseGpus(text)).toEqual([]),
  );
});

describe('selectGpus', () => {
  it('takes all unless told otherwise', () => {
    expect(selectGpus(LISTED, undefined)).toEqual([
      { visible: '0', ...H200 },
      { visible: '1', ...H100 },
    ]);
  });

  it.each([
    ['1,0', ['1', '0']],
    ['GPU-bbbb', ['GPU-bbbb']],
    ['1,7,0', ['1']],
    ['9', []],
    ['MIG-f,0', ['MIG-f', '0']],
  ])('with CUDA_VISIBLE_DEVICES=%s takes %j', (visible, expected) => {
    expect(selectGpus(LISTED, visible).map((gpu) => gpu.visible)).toEqual(expected);
  });

  it('believes the variable where nvidia-smi lists nothing', () => {
    expect(selectGpus([], '0,1')).toEqual([{ visible: '0' }, { visible: '1' }]);
    expect(selectGpus([], undefined)).toEqual([]);
  });
});

describe('findGpus', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-gpus-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Puts a program of this name on a path that holds nothing else. */
  function fake(script: string): NodeJS.ProcessEnv {
    writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'nvidia-smi'), 0o755);
    return { PATH: folder };
  }

  it('asks the nvidia-smi on the path', async () => {
    const env = fake('case "$1" in --query-gpu=index,uuid,name,memory.total) echo "0, GPU-aaaa-1, NVIDIA H200, 143771";; esac');
    expect(await findGpus(env)).toEqual([{ visible: '0', ...H200 }]);
    expect(await findGpus({ ...env, CUDA_VISIBLE_DEVICES: 'GPU-aaaa-1' })).toEqual([{ visible: 'GPU-aaaa-1', ...H200 }]);
    expect(await findGpus({ ...env, CUDA_VISIBLE_DEVICES: '-1' })).toEqual([]);
  });

  it('finds none where it fails', async () => {
    expect(await findGpus(fake('echo "0, GPU-aaaa-1, NVIDIA H200, 143771"; exit 9'))).toEqual([]);
  });

  it('finds none where there is no such program', async () => {
    expect(await findGpus({ PATH: folder })).toEqual([]);
  });
});
