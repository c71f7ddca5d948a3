import { describe, expect, it } from 'vitest';
import { gpuEnvironment, planLearners, type Devices } from './learners.ts';

type Requested = Parameters<typeof planLearners>[0];

const AUTO: Requested = { learners: 'auto', cores: 'auto', compute: {} };
const machine = (gpus: number, cores: number, gpuBackend = true): Devices => ({
  gpus: Array.from({ length: gpus }, (_, i) => ({ visible: String(i), name: 'NVIDIA H200', memoryMiB: 143_771 })),
  gpuBackend,
  cores,
});
const placed = (requested: Requested, devices: Devices): string[] =>
  planLearners(requested, devices).map(({ id, gpu }) => `${id} ${gpu?.visible ?? 'cpu'}`);

describe('planLearners', () => {
  it('starts one for each GPU, however many cores there are', () => {
    expect(placed(AUTO, machine(2, 64))).toEqual(['learner-1 0', 'learner-2 1']);
    expect(placed(AUTO, machine(1, 1))).toEqual(['learner-1 0']);
  });

  it('starts one for each core without a GPU', () => {
    expect(placed(AUTO, machine(0, 2))).toEqual(['learner-1 cpu', 'learner-2 cpu']);
    expect(placed({ ...AUTO, cores: 3 }, machine(0, 64))).toHaveLength(3);
    expect(placed(AUTO, machine(0, 0))).toHaveLength(1);
  });

  it('starts no more than a round has parts', () => {
    expect(placed(AUTO, machine(0, 64))).toHaveLength(8);
    expect(placed(AUTO, machine(16, 64))).toHaveLength(8);
  });

  it('leaves GPUs alone that no backend can use', () => {
    expect(placed(AUTO, machine(4, 2, false))).toEqual(['learner-1 cpu', 'learner-2 cpu']);
  });

  it('leaves GPUs alone when another backend is insisted on', () => {
    expect(placed({ ...AUTO, compute: { backend: 'native' } }, machine(4, 2))).toEqual(['learner-1 cpu', 'learner-2 cpu']);
    expect(placed({ ...AUTO, compute: { backend: 'tensorflow-gpu' } }, machine(1, 2))).toEqual(['learner-1 0']);
  });

  it('starts as many as were asked for, which share GPUs in turn', () => {
    expect(placed({ ...AUTO, learners: 3 }, machine(2, 8))).toEqual(['learner-1 0', 'learner-2 1', 'learner-3 0']);
    expect(placed({ ...AUTO, learners: 12 }, machine(0, 2))).toHaveLength(12);
    expect(placed({ ...AUTO, learners: 1 }, machine(4, 2))).toEqual(['learner-1 0']);
  });
});

describe('gpuEnvironment', () => {
  const [gpu] = machine(1, 1).gpus;

  it('shows a learner its own GPU alone, counted as nvidia-smi does', () => {
    expect(gpuEnvironment(gpu, {})).toEqual({ CUDA_VISIBLE_DEVICES: '0', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' });
  });

  it('leaves the meaning of an index that the user gave', () => {
    expect(gpuEnvironment(gpu, { CUDA_VISIBLE_DEVICES: '0,1' })).toEqual({ CUDA_VISIBLE_DEVICES: '0' });
    expect(gpuEnvironment(gpu, { CUDA_DEVICE_ORDER: 'FASTEST_FIRST' })).toEqual({ CUDA_VISIBLE_DEVICES: '0' });
  });

  it('shows other processes none', () => {
    expect(gpuEnvironment(undefined, {})).toEqual({ CUDA_VISIBLE_DEVICES: '' });
  });
});
