import { describe, expect, it } from 'vitest';
import type { Devices } from './learners.ts';
import { planNodes } from './plan.ts';

const machine = (gpus: number): Devices => ({
  gpus: Array.from({ length: gpus }, (_, i) => ({ visible: String(i), name: 'NVIDIA H200', memoryMiB: 143_771 })),
  gpuBackend: true,
  cores: 2,
});

describe('planNodes', () => {
  it('starts the store first and one process for each role', () => {
    const nodes = planNodes({ adminPort: 7000 }, machine(0), {});
    const ids = 'store coordinator parameter-server learner-1 learner-2 rollout-1 rollout-2 reward-1'.split(' ');
    expect(nodes.map(({ id }) => id)).toEqual(ids);
    expect(nodes[1]).toEqual({ id: 'coordinator', role: 'coordinator', port: 7000, backend: undefined, env: {} });
  });

  it('gives each learner a GPU of its own and hides all of them from the rest', () => {
    const nodes = planNodes({ adminPort: 0, learners: 'auto', rollouts: 1 }, machine(3), {});
    const seen = nodes.map(({ id, env }) => `${id}=${env['CUDA_VISIBLE_DEVICES']}`).join(' ');
    expect(seen).toBe('store= coordinator= parameter-server= learner-1=0 learner-2=1 learner-3=2 rollout-1= reward-1=');
    expect(nodes[4]).toMatchObject({ gpu: { name: 'NVIDIA H200' }, env: { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' } });
  });

  it('insists on a backend everywhere, but on a GPU only for learners', () => {
    const backends = (backend: string): (string | undefined)[] =>
      planNodes({ adminPort: 0, learners: 1, rollouts: 1, backend }, machine(1), {}).map((node) => node.backend);
    expect(new Set(backends('native'))).toEqual(new Set(['native']));
    expect(backends('tensorflow-gpu')).toEqual([undefined, undefined, undefined, 'tensorflow-gpu', undefined, undefined]);
  });

  it('has the store open the ClickHouse port, with threads for its queries', () => {
    for (const clickhousePort of [0, 9000, 'auto'] as const) {
      const nodes = planNodes({ adminPort: 0, backend: 'wasm', clickhousePort }, machine(0), {});
      expect(nodes[0]).toEqual({
        id: 'store',
        role: 'store',
        clickhousePort,
        backend: 'wasm',
        env: { UV_THREADPOOL_SIZE: '8' },
      });
      for (const { clickhousePort: port, env } of nodes.slice(1)) expect([port, env]).toEqual([undefined, {}]);
    }
    const [own] = planNodes({ adminPort: 0, clickhousePort: 0 }, machine(0), { UV_THREADPOOL_SIZE: '12' });
    expect(own!.env).toEqual({ UV_THREADPOOL_SIZE: '12' });
    const [none] = planNodes({ adminPort: 0 }, machine(0), {});
    expect(none).toEqual({ id: 'store', role: 'store', backend: undefined, env: {} });
  });

  it('leaves the environment alone where no GPU is used', () => {
    for (const node of planNodes({ adminPort: 0, backend: 'wasm' }, machine(2), { CUDA_VISIBLE_DEVICES: '0' })) {
      expect(node.env).toEqual({});
    }
  });
});
