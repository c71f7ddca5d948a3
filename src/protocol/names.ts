/** Work queue of rollout requests. */
export const ROLLOUTS = 'ROLLOUTS';
/** Work queue of trajectory groups that wait for their rewards. */
export const GROUPS = 'GROUPS';
/** Scored groups, kept until the trainer (or the evaluation) and the writer have acknowledged them. */
export const SCORED = 'SCORED';
/** Chunks of policy versions. */
export const WEIGHTS = 'WEIGHTS';
/** Rows about jobs: updates, evaluations, events; kept for seven days. */
export const EVENTS = 'EVENTS';
/** Messages that were given up. */
export const DLQ = 'DLQ';
/** Requests and groups that wait for a service which their flow calls (docs/adr/0044). */
export const HELD = 'HELD';

/** Parts of groups that are larger than a message may be (parts.ts). */
export const PARTS = 'PARTS';

/** Journal of the gateway: calls of language models, kept until the writer has acknowledged them. */
export const CALLS = 'CALLS';

/** A stream of the cluster. */
export type StreamName =
  | typeof ROLLOUTS
  | typeof GROUPS
  | typeof SCORED
  | typeof WEIGHTS
  | typeof EVENTS
  | typeof DLQ
  | typeof HELD
  | typeof PARTS
  | typeof CALLS;

/** Records of jobs, by job id. */
export const JOBS = 'jobs';
/** Who holds a job or its trainer; entries expire. */
export const LEASES = 'leases';
/** What each node says of itself; entries expire. */
export const NODES = 'nodes';
/** Newest weight manifest of each job. */
export const POLICIES = 'policies';
/** What people must know about each job. */
export const NOTICES = 'notices';
/** Which jobs have a place: the scheduler's decision. */
export const SCHEDULER = 'scheduler';

/** Flows that are registered under a name. */
export const AGENTS = 'agents';

/** Comparisons of two policies on live tasks, by id. */
export const EXPERIMENTS = 'experiments';

/** Live tasks that were solved, by the hash in their trajectory's id; entries expire. */
export const SERVED = 'served';

/** What creates jobs by the clock or by new rows, by name. */
export const SCHEDULES = 'schedules';

/** Tokens with which hosts may join, by the hash of their secret; entries expire. */
export const JOINS = 'joins';

/** Sessions of the gateway, by id; entries expire. */
export const SESSIONS = 'sessions';

/** Named credentials of people and applications, by name: hashes of their tokens, and what they let do. */
export const CREDENTIALS = 'credentials';

/** What the jobs of each owner have spent, and may spend. */
export const BUDGETS = 'budgets';

/** How far the limits of model providers are used up, by provider; entries expire. */
export const RATES = 'rates';

/** A key-value bucket of the cluster. */
export type BucketName =
  | typeof JOBS
  | typeof LEASES
  | typeof NODES
  | typeof POLICIES
  | typeof NOTICES
  | typeof SCHEDULER
  | typeof SCHEDULES
  | typeof BUDGETS
  | typeof RATES
  | typeof JOINS
  | typeof CREDENTIALS
  | typeof AGENTS
  | typeof EXPERIMENTS
  | typeof SERVED
  | typeof SESSIONS;
