import { describe, expect, it } from 'vitest';
import { clusterConfigSchema } from '../../src/config/cluster.ts';
import type { z } from 'zod';
import { IDENTITIES, type Identity } from '../infra/nats/access.ts';
import { TEST_CREDENTIALS as credentials } from '../infra/credentials.fixture.ts';
import { ROLE_NAMES } from '../../src/protocol/roles.ts';
import { roleNames } from '../runtime/settings/node.ts';
import { checkStart } from '../runtime/settings/start.ts';
import type { Devices } from './learners.ts';
import { planNodes, type PlanInput, type PlannedNode } from './plan.ts';

const machine = (gpus: number): Devices => ({
  gpus: Array.from({ length: gpus }, (_, i) => ({ visible: String(i), name: 'NVIDIA H200', memoryMiB: 143_771 })),
  gpuBackend: true,
  cores: 2,
});
const passwords = Object.fromEntries(IDENTITIES.map((identity) => [identity, `the NATS password of ${identity}`])) as Record<
  Identity,
  string
>;
const plan = (config: z.input<typeof clusterConfigSchema>, more: Partial<PlanInput> = {}): PlannedNode[] =>
  planNodes({
    config: clusterConfigSchema.parse({ learners: 2, ...config }),
    credentials,
    natsUrl: 'nats://127.0.0.1:4222',
    passwords,
    ports: { admin: 7000, gateway: 7001, clickhouse: undefined },
    devices: machine(0),
    inherited: {},
    ...more,
  });
const withClickHouse = (clickhouse: number | 'auto'): Partial<PlanInput> => ({
  ports: { admin: 7000, gateway: 7001, clickhouse },
});

describe('planNodes', () => {
  it('starts the store first and one process for each role', () => {
    const nodes = plan({ stateDir: '/state', budgets: { monthlyDollars: 5 } });
    const { scheduler } = clusterConfigSchema.parse({});
    const money = { budgets: { monthlyDollars: 5, owners: {} }, prices: { models: {}, tools: {} } };
    const ids = 'store coordinator parameter-server learner-1 learner-2 rollout-1 rollout-2 reward-1 gateway'.split(' ');
    expect(nodes.map(({ settings }) => settings.id)).toEqual(ids);
    expect(new Set(nodes.flatMap(({ settings }) => roleNames(settings)))).toEqual(new Set(ROLE_NAMES));
    expect(nodes[1]).toEqual({
      settings: {
        id: 'coordinator',
        roles: [
          {
            role: 'coordinator',
            token: credentials.token,
            storeToken: credentials.storeToken,
            gatewayWorkToken: credentials.gatewayWorkToken,
            scheduler,
            money,
          },
        ],
        grpcPort: 7000,
        natsUrl: 'nats://127.0.0.1:4222',
        nats: { identity: 'coordinator', password: passwords.coordinator },
        stateDir: '/state',
        logLevel: 'info',
      },
      env: {},
    });
  });

  it('makes settings that every process takes', async () => {
    const config = { clickhouse: { url: 'http://127.0.0.1:8123' }, store: { retention: { steps: '8w' } } };
    const plans = [plan(config), plan({}, { devices: machine(1), passwords: undefined, ...withClickHouse('auto') })];
    for (const { settings } of plans.flat())
      await expect(checkStart({ kind: 'start', settings })).resolves.toMatchObject({ settings });
  });

  it('starts as many parameter servers as are asked for', () => {
    const ids = (n: number) => plan({ parameterServers: n }).flatMap(({ settings: { id } }) => (/^param/.test(id) ? [id] : []));
    expect([ids(1), ids(2)]).toEqual([['parameter-server'], ['parameter-server-1', 'parameter-server-2']]);
  });

  it('starts no gateway without a port for it', () => {
    const nodes = plan({}, { ports: { admin: 7000, gateway: undefined, clickhouse: undefined } });
    expect(nodes.map(({ settings }) => settings.id)).not.toContain('gateway');
    expect(plan({}).at(-1)!.settings.roles).toMatchObject([{ role: 'gateway', port: 7001 }]);
  });

  it('gives each learner a GPU of its own and hides all of them from the rest', () => {
    const nodes = plan({ learners: 'auto', rollouts: 1 }, { devices: machine(3) });
    const seen = nodes.map(({ settings, env }) => `${settings.id}=${env['CUDA_VISIBLE_DEVICES']}`).join(' ');
    expect(seen).toBe('store= coordinator= parameter-server= learner-1=0 learner-2=1 learner-3=2 rollout-1= reward-1= gateway=');
    expect(nodes[4]!.env).toMatchObject({ CUDA_DEVICE_ORDER: 'PCI_BUS_ID' });
    expect(nodes[4]!.settings.roles).toMatchObject([{ role: 'learner', gpu: { name: 'NVIDIA H200' } }]);
  });

  it('insists on a backend where something is computed, but on a GPU only for learners', () => {
    const backends = (backend: 'native' | 'tensorflow-gpu'): (string | undefined)[] =>
      plan({ learners: 1, rollouts: 1, compute: { backend } }, { devices: machine(1) }).flatMap(({ settings }) =>
        settings.roles.map((section) => ('backend' in section ? `${section.role} ${section.backend}` : section.role)),
      );
    const [others, rest] = [
      ['store', 'coordinator', 'parameter-server'],
      ['reward', 'gateway'],
    ];
    expect(backends('native')).toEqual([...others, 'learner native', 'rollout native', ...rest]);
    expect(backends('tensorflow-gpu')).toEqual([...others, 'learner tensorflow-gpu', 'rollout undefined', ...rest]);
  });

  it('has the store open the ClickHouse port, with threads for its queries', () => {
    const threads = (nodes: PlannedNode[]): unknown[] => nodes.map(({ env }) => env['UV_THREADPOOL_SIZE']).filter(Boolean);
    for (const port of [0, 9000, 'auto'] as const) {
      const nodes = plan({}, withClickHouse(port));
      expect(nodes[0]!.settings.roles).toMatchObject([{ role: 'store', clickhouseInterface: { port } }]);
      expect(threads(nodes)).toEqual(['8']);
    }
    expect(threads(plan({}, { ...withClickHouse(0), inherited: { UV_THREADPOOL_SIZE: '12' } }))).toEqual(['12']);
    const [none] = plan({});
    expect([none!.settings.roles, none!.env]).toEqual([
      [{ role: 'store', storeToken: credentials.storeToken, clickhouse: undefined, retention: {} }],
      {},
    ]);
  });

  it('leaves the environment alone where no GPU is used', () => {
    const devices = machine(2);
    for (const node of plan({ compute: { backend: 'wasm' } }, { devices, inherited: { CUDA_VISIBLE_DEVICES: '0' } })) {
      expect(node.env).toEqual({});
    }
  });
});

describe('secrets', () => {
  const clickhouse = { url: 'http://127.0.0.1:8123', user: 'millrace', password: 'the password of the server' };
  const all = { ...credentials, ...passwords, server: clickhouse.password };
  /** Names of the secrets that the first node of each role is told; NATS passwords by their identity. */
  const held = (nodes: PlannedNode[]): Record<string, string[]> =>
    Object.fromEntries(
      nodes.toReversed().map(({ settings }) => {
        const text = JSON.stringify(settings);
        const names = Object.entries(all).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []));
        return [roleNames(settings).join('+'), names];
      }),
    );
  /** A role holds these and, of {@link all}, no others. */
  const always = {
    coordinator: ['token', 'storeToken', 'gatewayWorkToken', 'coordinator'],
    'parameter-server': ['workToken', 'parameter-server'],
    learner: ['workToken', 'learner'],
    rollout: ['rollout'],
    reward: ['reward'],
    gateway: ['gatewayMetricsToken', 'gatewayReadToken', 'gatewayWriteToken', 'gatewayAdminToken', 'gatewayWorkToken', 'gateway'],
  };

  it('reach a role only if it needs them, with the embedded engine', () => {
    const store = ['storeToken', 'readToken', 'writeToken', 'store'];
    expect(held(plan({}, withClickHouse('auto')))).toEqual({ ...always, store });
  });

  it('reach a role only if it needs them, with a ClickHouse server', () => {
    expect(held(plan({ clickhouse }))).toEqual({ ...always, store: ['storeToken', 'store', 'server'] });
  });

  it('are none of NATS with a server that ran already', () => {
    const nodes = plan({}, { passwords: undefined });
    expect(Object.values(held(nodes)).flat()).not.toEqual(expect.arrayContaining(['store']));
    for (const { settings } of nodes) expect(settings.nats).toBeUndefined();
  });
});
