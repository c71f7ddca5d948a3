import { describe, expect, it } from 'vitest';
import { visibleGpus } from './visible-gpus.ts';

describe('visibleGpus', () => {
  it.each([
    [undefined, undefined],
    ['', ''],
    ['-1', ''],
    ['0', '0'],
    ['2, 0', '2,0'],
    ['1,-1,0', '1'],
    ['GPU-8932f937-d72c-4106-c12f-20bd9faed9f6', 'GPU-8932f937-d72c-4106-c12f-20bd9faed9f6'],
    ['MIG-5c1f,3', 'MIG-5c1f,3'],
    ['NoDevFiles', ''],
  ])('reads %j as %j', (value, expected) => {
    expect(visibleGpus({ CUDA_VISIBLE_DEVICES: value })).toBe(expected);
  });
});
