import type { ClusterConfig } from '../../../src/config/cluster.ts';
import type { RoleName } from '../../../src/protocol/roles.ts';
import type { Credentials } from '../../infra/credentials.ts';
import type { Gpu } from '../../infra/gpus.ts';
import { credentialsOf } from './credentials.ts';
import type { SettingsOf } from './roles.ts';
import { joinSettings } from './join.ts';
import { retentionOf, serverOf } from './store.ts';

/** What the section of a role is made from. */
export interface SectionInput {
  config: ClusterConfig;
  /** Only those of the role are read. */
  credentials: Credentials;
  ports: {
    /** Of the gateway; 0 is a free one. */
    gateway: number;
    /** Of the embedded engine's ClickHouse interface; undefined for none. */
    clickhouse: number | 'auto' | undefined;
  };
  /** The GPU of a learner. Default: it has none, or nobody knows. */
  gpu?: Gpu | undefined;
}

const SECTIONS: { readonly [R in RoleName]: (input: SectionInput) => SettingsOf<R> } = {
  coordinator: ({ config, credentials }) => {
    const { scheduler, budgets, prices } = config;
    const join = joinSettings(config);
    const own = credentialsOf('coordinator', credentials);
    return { role: 'coordinator', ...own, scheduler, money: { budgets, prices }, ...(join && { join }) };
  },
  'parameter-server': ({ credentials }) => ({ role: 'parameter-server', ...credentialsOf('parameter-server', credentials) }),
  learner: ({ config, credentials, gpu }) => {
    return { role: 'learner', ...credentialsOf('learner', credentials), backend: config.compute.backend, gpu };
  },
  rollout: ({ config: { compute } }) => {
    // Rollouts ask for few decisions at a time and stay on the processor when learners are set to use GPUs.
    return { role: 'rollout', backend: compute.backend === 'tensorflow-gpu' ? undefined : compute.backend };
  },
  reward: () => ({ role: 'reward' }),
  store: ({ config: { clickhouse, store }, credentials, ports: { clickhouse: port } }) => ({
    role: 'store',
    ...credentialsOf('store', credentials),
    clickhouse: serverOf(clickhouse),
    ...(port !== undefined && {
      clickhouseInterface: { port, readToken: credentials.readToken, writeToken: credentials.writeToken },
    }),
    retention: retentionOf(store.retention),
  }),
  gateway: ({ config: { providers }, credentials, ports: { gateway: port } }) => ({
    ...{ role: 'gateway', port, ...credentialsOf('gateway', credentials) },
    ...(Object.keys(providers).length > 0 && { providers }),
  }),
};

/** The section of a role in the settings of a node, as a cluster's settings say it. */
export function sectionOf<R extends RoleName>(role: R, input: SectionInput): SettingsOf<R> {
  return SECTIONS[role](input);
}
