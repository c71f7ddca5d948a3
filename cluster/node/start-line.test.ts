import { describe, expect, it } from 'vitest';
import { startLine } from './start-line.ts';

const cpu = {
  backend: 'native',
  device: 'CPU (BLAS, 1 thread)',
  gflops: 61.234,
  skipped: ['tensorflow: not installed'],
} as const;
const onGpu = { backend: 'tensorflow-gpu', device: 'GPU 0 (CUDA, libtensorflow 2.21.0)', gflops: 1234, skipped: [] } as const;
const H200 = { visible: '0', name: 'NVIDIA H200', memoryMiB: 143_771 };

describe('startLine', () => {
  it('says backend, device, memory and speed', () => {
    const [fields, text] = startLine(cpu, undefined, 4096);
    expect(text).toBe('compute: native on CPU (BLAS, 1 thread), 4.0 GiB of memory, 61.2 GFLOP/s');
    expect(fields).toEqual({ ...cpu, memoryMiB: 4096, gflops: 61.2 });
  });

  it("says the GPU's name and memory where it computes on one", () => {
    const [fields, text] = startLine(onGpu, H200, 4096);
    expect(text).toBe(
      'compute: tensorflow-gpu on NVIDIA H200, GPU 0 (CUDA, libtensorflow 2.21.0), 140.4 GiB of memory, 1234.0 GFLOP/s',
    );
    expect(fields.memoryMiB).toBe(143_771);
    expect(startLine(onGpu, { visible: '0' }, 4096)[1]).toContain('memory of the device unknown');
  });

  it('does not name a GPU that is not used', () => {
    expect(startLine(cpu, H200, 4096)[1]).toBe('compute: native on CPU (BLAS, 1 thread), 4.0 GiB of memory, 61.2 GFLOP/s');
  });

  it('knows the memory of this machine', () => {
    expect(startLine(cpu, undefined)[0].memoryMiB).toBeGreaterThan(100);
  });
});
