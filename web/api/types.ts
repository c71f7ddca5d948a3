/** What the admin API answers, in the JSON of Protocol Buffers: what is 0, empty or false is left out, whole numbers of 64 bits are texts. */

export type JobState =
  | 'JOB_STATE_QUEUED'
  | 'JOB_STATE_RUNNING'
  | 'JOB_STATE_PAUSED'
  | 'JOB_STATE_SUCCEEDED'
  | 'JOB_STATE_FAILED'
  | 'JOB_STATE_CANCELLED'
  | 'JOB_STATE_UNREADABLE';

/** How the requests of a job ended. */
export interface Ledger {
  trained?: string;
  filtered?: string;
  expired?: string;
  failed?: string;
  failedByClass?: Record<string, string>;
  trajectories?: string;
  spentMicroDollars?: string;
  spentTokens?: string;
}

export interface JobProgress {
  round?: number;
  roundsTotal?: number;
  reward?: number;
  trajectoriesPerSecond?: number;
  staleness?: number;
  requests?: string;
  ledger?: Ledger;
  etaSeconds?: number;
  trainSeconds?: number;
  statistics?: Record<string, number>;
  quietSeconds?: number;
}

export interface Comparison {
  baseline?: string;
  tasks?: number;
  wins?: number;
  losses?: number;
  difference?: number;
  low?: number;
  high?: number;
  evidence?: number;
  threshold?: number;
  decision?: string;
}

export interface Evaluation {
  name: string;
  policyVersion?: number;
  tasks?: number;
  successes?: number;
  failed?: number;
  meanReward?: number;
  meanSteps?: number;
  trajectories?: string;
  incomplete?: boolean;
  taskSet?: string;
  metrics?: Record<string, { value?: number; low?: number; high?: number }>;
  comparison?: Comparison;
}

export interface Notice {
  code: string;
  subject?: string;
  message?: string;
  node?: string;
  count?: string;
  firstTime?: string;
  lastTime?: string;
  resolveTime?: string;
  momentary?: boolean;
}

export interface BudgetUse {
  of: string;
  unit: string;
  spent?: string;
  limit?: string;
  exhausted?: boolean;
}

export interface Job {
  id: string;
  state: JobState;
  configJson?: string;
  createTime?: string;
  startTime?: string;
  endTime?: string;
  error?: string;
  progress?: JobProgress;
  waitingFor?: string;
  evaluations?: Evaluation[];
  notices?: Notice[];
  owner?: string;
  priority?: number;
  queuePosition?: number;
  queueReason?: string;
  budgets?: BudgetUse[];
  pauseReason?: string;
  bestCheckpoint?: { version?: number };
  from?: string;
  forkedFrom?: string;
  agent?: string;
  evaluates?: string;
}

export interface ClusterNode {
  id: string;
  roles?: string[];
  pid?: number;
  address?: string;
  startTime?: string;
  heartbeatTime?: string;
  rssBytes?: string;
  peakRssBytes?: string;
  cpuSeconds?: number;
  eventLoopDelayMs?: number;
  labels?: Record<string, string>;
}

export interface Actor {
  address: string;
  state?: string;
  mailboxDepth?: number;
  restarts?: number;
  waitingFor?: string;
  messages?: string;
  inFlight?: number;
  lastError?: string;
}

export interface DeadLetter {
  id: string;
  stream?: string;
  subject?: string;
  reason?: string;
  deliveries?: number;
  time?: string;
  payloadBytes?: string;
}

/** What a statement gave. */
export interface QueryRows {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  truncated: boolean;
}

export interface NamedQuery {
  name: string;
  title: string;
  parameters: { name: string; type: string; byDefault: string; title: string }[];
  sql: string;
}
