import {
  ALL,
  callSubject,
  deadLetterSubject,
  eventSubject,
  groupSubject,
  heldSubject,
  partSubject,
  retrySubject,
  scoredSubject,
  servedSubject,
  serveSubject,
} from '../../../src/protocol/subjects.ts';
import { REWARD_WORK, ROLLOUT_WORK, type DurablePlace } from '../../../src/protocol/durables.ts';
import {
  BUDGETS,
  CREDENTIALS,
  JOBS,
  JOINS,
  NODES,
  POLICIES,
  RATES,
  SESSIONS,
  type BucketName,
} from '../../../src/protocol/names.ts';
import { ROLE_NAMES, SEVERAL_ROLES, type RoleName } from '../../../src/protocol/roles.ts';

/** Who connects to the cluster's own nats-server: its roles, its supervisor, and the people and tests that have `admin`. */
export const IDENTITIES = [
  'admin',
  'supervisor',
  'coordinator',
  'parameter-server',
  'store',
  'learner',
  'rollout',
  'reward',
  'gateway',
] as const satisfies readonly (RoleName | 'admin' | 'supervisor')[];

/** One of {@link IDENTITIES}. */
export type Identity = (typeof IDENTITIES)[number];

/**
 * Those that do not reach JetStream but by what is named here. They live in an account of their own: whatever the server answers them,
 * it answers into that account. In the other one a reply subject such as `$KV.jobs.x` would be a way to write there, since the server
 * checks what a client publishes to, and not where it asks for the answer.
 */
export const WORKER_ROLES = ['learner', 'rollout', 'reward', 'gateway'] as const;

/** One of {@link WORKER_ROLES}. */
export type WorkerRole = (typeof WORKER_ROLES)[number];

/** Subjects in the words of nats-server. */
export interface Access {
  /** What it may publish to. */
  publish: readonly string[];
  /** Those of `publish` that are answered with more than one message. */
  streams?: readonly string[];
  /** What it may subscribe to besides its inbox. */
  subscribe: readonly string[];
}

/** Prefix of an identity's inboxes: nobody else may subscribe to them. */
export const inboxPrefix = (identity: Identity): string => `_INBOX_${identity}`;

/** Reading what a bucket holds. */
const read = (bucket: BucketName): Access => ({
  publish: [`$JS.API.STREAM.INFO.KV_${bucket}`, `$JS.API.STREAM.MSG.GET.KV_${bucket}`],
  subscribe: [],
});

/** {@link read}, and following changes. */
const follow = (bucket: BucketName): Access =>
  joined(read(bucket), {
    publish: [`$JS.API.DIRECT.GET.KV_${bucket}`, `$JS.API.DIRECT.GET.KV_${bucket}.>`],
    subscribe: [`$KV.${bucket}.>`],
  });

/** Taking work from a durable that somebody else made, and giving up what cannot be done. */
const work = ({ stream, durable }: DurablePlace): Access => ({
  publish: [
    `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    `$JS.ACK.${stream}.${durable}.>`,
    deadLetterSubject(stream),
    // Work that waits for a service, and the news of it.
    heldSubject('*'),
    retrySubject('*'),
  ],
  streams: [`$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`],
  subscribe: [],
});

/** Booking what calls cost in the ledgers; limits and prices are set by others. */
const spend: Access = joined(read(BUDGETS), { publish: ['$KV.budgets.ledger.>'], subscribe: [] });

/** Keeping to the limits of model providers, together with all others who call them. */
const callModels: Access = joined(read(RATES), { publish: ['$KV.rates.>'], subscribe: [] });

/** What every node does: announce itself, know the jobs, and report notices. */
const node = (role: RoleName): Access =>
  joined(follow(JOBS), {
    publish: [
      `$KV.nodes.${role}.*`,
      '$KV.notices.>',
      '$JS.API.STREAM.MSG.GET.KV_notices',
      eventSubject('*', 'notice'),
      eventSubject('*', 'notice-resolved'),
    ],
    subscribe: [],
  });

/**
 * What workers may do. They write no weights, no jobs, no leases, and no records of other roles' nodes, and change no stream but PARTS,
 * which is nobody's books: a part that is gone or another fails its group by its digest.
 */
export const WORKER_ACCESS: Readonly<Record<WorkerRole, Access>> = {
  // It looks for the parameter servers.
  learner: joined(node('learner'), read(NODES)),
  // It looks for the coordinator, checks credentials, keeps the journal of calls and the sessions that they belong to, and writes the rows of their ends.
  gateway: joined(node('gateway'), read(NODES), follow(CREDENTIALS), read(SESSIONS), read(BUDGETS), callModels, {
    publish: [`$KV.${SESSIONS}.*`, callSubject('*', '*', 'started'), callSubject('*', '*', 'ended'), scoredSubject('*', 'rows')],
    subscribe: [],
  }),
  rollout: joined(node('rollout'), work(ROLLOUT_WORK), spend, callModels, follow(POLICIES), {
    publish: [
      groupSubject('*'),
      partSubject('*', '*', '*'),
      eventSubject('*', 'tool-timeouts'),
      '$JS.API.DIRECT.GET.WEIGHTS',
      '$JS.API.DIRECT.GET.WEIGHTS.>',
      '$JS.API.STREAM.MSG.GET.WEIGHTS',
      // Rows of live tasks, which have no reward to wait for, and the answers to who asked.
      scoredSubject('*', 'rows'),
      servedSubject('*'),
    ],
    subscribe: [serveSubject('*')],
  }),
  reward: joined(node('reward'), work(REWARD_WORK), spend, callModels, {
    publish: [
      scoredSubject('*', 'train'),
      scoredSubject('*', 'evaluate'),
      partSubject('*', '*', '*'),
      '$JS.API.DIRECT.GET.PARTS',
      '$JS.API.DIRECT.GET.PARTS.>',
      '$JS.API.STREAM.MSG.GET.PARTS',
      '$JS.API.STREAM.PURGE.PARTS',
    ],
    subscribe: [],
  }),
};

/** Only those may destroy a stream with all that it holds; nobody needs to. */
const DESTROYING = ['$JS.API.STREAM.DELETE.>', '$JS.API.STREAM.RESTORE.>', '$JS.API.STREAM.SNAPSHOT.>'];
const CHANGING = ['$JS.API.STREAM.CREATE.>', '$JS.API.STREAM.UPDATE.>'];

/** To write what a bucket holds, or to read it. */
const reaching = (bucket: BucketName): string[] => [
  `$KV.${bucket}.>`,
  `$JS.API.STREAM.MSG.GET.KV_${bucket}`,
  `$JS.API.STREAM.PURGE.KV_${bucket}`,
  `$JS.API.STREAM.MSG.DELETE.KV_${bucket}`,
  `$JS.API.DIRECT.GET.KV_${bucket}`,
  `$JS.API.DIRECT.GET.KV_${bucket}.>`,
  `$JS.API.CONSUMER.CREATE.KV_${bucket}`,
  `$JS.API.CONSUMER.CREATE.KV_${bucket}.>`,
  `$JS.API.CONSUMER.DURABLE.CREATE.KV_${bucket}.>`,
];

/** Written by gateways alone. */
const SESSIONS_AND_CALLS = [`$KV.${SESSIONS}.>`, ALL.calls];

/** Tokens with which hosts join, and named credentials, are for coordinators alone. Gateways may read those. */
const SECRET = [...reaching(JOINS), ...reaching(CREDENTIALS)];

/** What those beside the workers may subscribe to besides their inboxes. */
export const FEEDS = ['progress.>', 'waiting.>', 'retry.>', 'writer.>', 'served.>'] as const;

/** What those beside the workers may not publish. `admin` may do everything. */
export const DENIED: Readonly<Record<Exclude<Identity, WorkerRole | 'admin' | 'supervisor'>, readonly string[]>> = {
  // It runs `millrace doctor`, which removes damaged records of every kind.
  coordinator: DESTROYING,
  'parameter-server': [
    ...DESTROYING,
    ...SECRET,
    ...CHANGING,
    ...nodesBut('parameter-server'),
    '$KV.schedules.>',
    '$KV.budgets.>',
    ...SESSIONS_AND_CALLS,
    ALL.rollouts,
    ALL.groups,
  ],
  store: [
    ...DESTROYING,
    ...SECRET,
    ...nodesBut('store'),
    '$KV.jobs.>',
    '$KV.policies.>',
    '$KV.schedules.>',
    '$KV.budgets.>',
    ...SESSIONS_AND_CALLS,
    ALL.weights,
    ALL.rollouts,
    ALL.groups,
  ],
};

function nodesBut(own: RoleName): string[] {
  // Nodes of several roles have the rights of admin.
  return [...ROLE_NAMES.filter((role) => role !== own), SEVERAL_ROLES].map((role) => `$KV.nodes.${role}.*`);
}

function joined(...parts: Access[]): Access {
  const all = (of: (access: Access) => readonly string[] | undefined): string[] => [
    ...new Set(parts.flatMap((part) => of(part) ?? [])),
  ];
  return { publish: all(({ publish }) => publish), streams: all(({ streams }) => streams), subscribe: all((a) => a.subscribe) };
}

/**
 * What a subject is called in the workers' account: there the server's own name of its API is taken by the answer that the account has no
 * JetStream.
 */
export const workerSubject = (subject: string): string => subject.replace(/^\$JS\.API\./, `${WORKER_API}.`);

/** What workers call JetStream's API. */
export const WORKER_API = 'API';

/** Whether an identity lives in the workers' account. */
export function isWorker(identity: Identity): identity is WorkerRole {
  return (WORKER_ROLES as readonly string[]).includes(identity);
}
