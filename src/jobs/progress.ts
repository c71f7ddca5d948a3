import type { HoldProgress, StoreBacklog, WriterReport } from '../protocol/progress.ts';

/** Counters at one moment. */
export interface ProgressSample {
  /** Clock.monotonic() in milliseconds. */
  at: number;
  /** Committed rounds. */
  rounds: number;
  /** Trajectories that have ended. */
  trajectories: number;
}

/** Rates over the recent past. */
export interface Rates {
  trajectoriesPerSecond: number;
  roundsPerSecond: number;
}

/** Rates over a sliding window of samples. Call `restart` after a pause, so that the pause is in no rate. */
export class RateWindow {
  readonly #windowMs: number;
  #samples: ProgressSample[] = [];

  /** `windowMs`: how far back the rates look. Default 30_000. */
  constructor(windowMs = 30_000) {
    this.#windowMs = windowMs;
  }

  add(sample: ProgressSample): void {
    this.#samples.push(sample);
    // One sample from before the window stays: it is where the window's counts start.
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? 0) <= sample.at - this.#windowMs) this.#samples.shift();
  }

  restart(): void {
    this.#samples = [];
  }

  /** Zero until two samples are some time apart. */
  rates(): Rates {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return { trajectoriesPerSecond: 0, roundsPerSecond: 0 };
    const seconds = (last.at - first.at) / 1000;
    return {
      trajectoriesPerSecond: (last.trajectories - first.trajectories) / seconds,
      roundsPerSecond: (last.rounds - first.rounds) / seconds,
    };
  }
}

/** Seconds until the last round at the present rate; −1 when unknown, 0 when done. */
export function etaSeconds(round: number, roundsTotal: number, roundsPerSecond: number): number {
  if (round >= roundsTotal) return 0;
  return roundsPerSecond > 0 ? (roundsTotal - round) / roundsPerSecond : -1;
}

/** Flows may take long; a job is called quiet after this many milliseconds in which nothing came. */
const QUIET_MS = 30_000;

/** Whole seconds since something last came for a running job; 0 while that is less than 30 s ago. */
export function quietSeconds(sinceMs: number): number {
  return sinceMs < QUIET_MS ? 0 : Math.floor(sinceMs / 1000);
}

/** What a running job may be waiting for; fields that are not known are left out. */
export interface WaitState {
  state: 'QUEUED' | 'RUNNING' | 'PAUSED' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  /** Committed rounds. */
  round: number;
  /** B, and how many of them were received for the round in progress. */
  groups: { received: number; needed: number };
  /** Training requests dispatched and not ended. */
  open: number;
  /** Live nodes of each role. */
  nodes: { rollout: number; reward: number; learner: number; parameterServer: number; store: number };
  /** While gradients are computed: shards done of all. */
  shards?: { done: number; total: number };
  /** While weights are on their way to JetStream. */
  publishing?: boolean;
  /** While a coordinator loads the job's tasks: how far it is, in words. */
  loading?: string;
  /** While held-out tasks are run: key of the evaluation, tasks done of all. */
  evaluation?: { key: string; done: number; total: number };
  /** Milliseconds since ROLLOUTS refused a request for space, while that lasts. */
  backpressureMs?: number;
  /** While the store is so far behind that no new requests are admitted. */
  store?: StoreBacklog;
  /** While something that the flow or its reward calls does not answer. */
  hold?: HoldProgress;
  /** While the disk has so little room that no new requests are admitted: what there is and what is needed, in words. */
  disk?: string;
  /** Why it is paused, when nobody asked for it. */
  pause?: { reason: string; message: string };
  cancelRequested?: boolean;
  /** Whole seconds since anything came for the job, from {@link quietSeconds}. */
  quietSeconds?: number;
  /** The last failures of the actors that work for jobs; named while nothing comes. */
  failures?: readonly { actor: string; error: string }[];
  /** What goes wrong without stopping the job, in words. */
  problem?: string;
}

const ROLES = [
  ['parameterServer', 'a parameter server'],
  ['rollout', 'a rollout worker'],
  ['reward', 'a reward worker'],
  ['learner', 'a learner'],
  ['store', 'the store'],
] as const;

/** What the job waits for, in words, most blocking thing first; '' when it has ended. */
export function waitingFor(wait: WaitState): string {
  if (wait.state === 'SUCCEEDED' || wait.state === 'FAILED' || wait.state === 'CANCELLED') return '';
  if (wait.loading !== undefined && wait.state !== 'PAUSED') return `its tasks to be loaded: ${wait.loading}`;
  // It starts once its flow's `load` answers.
  if (wait.state === 'QUEUED' && wait.hold !== undefined) return heldBack(wait.hold);
  if (wait.state === 'QUEUED') return 'a coordinator that takes the job';
  if (wait.state === 'PAUSED') {
    // What a spent budget refused is held, too.
    const hold = wait.hold === undefined || wait.pause !== undefined ? [] : [`then for ${heldBack(wait.hold)}`];
    const resumed = wait.pause === undefined ? 'someone to resume it' : `${wait.pause.reason}: ${wait.pause.message}`;
    return [resumed, ...left(wait), ...hold].join('; ');
  }
  const missing = ROLES.filter(([role]) => wait.nodes[role] === 0).map(([, words]) => words);
  if (missing.length > 0) return `${missing.join(' and ')} to connect (none is alive)`;
  const after = wait.cancelRequested === true ? ', then it ends as asked' : '';
  return `${work(wait)}${after}${silence(wait)}${wait.problem === undefined ? '' : ` (note: ${wait.problem})`}`;
}

/** For how long nothing was received, and what failed meanwhile. */
function silence({ quietSeconds = 0, failures = [] }: WaitState): string {
  if (quietSeconds === 0) return '';
  const [first, ...others] = failures.map(({ actor, error }) => `; ${actor} failed: ${error}`);
  const more = others.length > 0 ? ` (and ${others.length} more: millrace actor list)` : '';
  return `; nothing received for ${whole(quietSeconds)} s${first ?? ''}${more}`;
}

/** What a paused job has left: groups that came wait for the rest of their round, which is asked for when it goes on. */
function left({ open, groups, round }: WaitState): string[] {
  const kept = Math.min(open, groups.received);
  return [
    ...(open > kept ? [`${open - kept} requests still end`] : []),
    ...(kept > 0 ? [`${kept} of ${groups.needed} groups are kept for round ${round + 1}`] : []),
  ];
}

function work(wait: WaitState): string {
  const { groups, shards, evaluation } = wait;
  const round = `round ${wait.round + 1}`;
  if (wait.publishing === true) return `the weights of ${round} to be published`;
  if (shards !== undefined) return `gradients of ${round}: ${shards.done} of ${shards.total} shards are done`;
  const rest: string[] = [];
  if (wait.hold !== undefined) rest.push(heldBack(wait.hold));
  if (wait.disk !== undefined) rest.push(`room on the disk: ${wait.disk}`);
  if (wait.store !== undefined) rest.push(behind(wait.store));
  // Nothing is asked for while the baselines run.
  const asked = wait.open > 0 || evaluation === undefined;
  if (asked && groups.received < groups.needed) rest.push(`groups of ${round}: ${groups.received} of ${groups.needed} received`);
  if (evaluation !== undefined)
    rest.push(`evaluation ${evaluation.key}: ${evaluation.done} of ${evaluation.total} tasks are done`);
  if (wait.backpressureMs !== undefined) {
    rest.push(`space in ROLLOUTS for ${(wait.backpressureMs / 1000).toFixed(1)} s (rollout workers are behind)`);
  }
  if (rest.length === 0) return `the parameter server to start on ${round}`;
  return wait.open > 0 ? `${rest.join('; ')} (${wait.open} requests in flight)` : rest.join('; ');
}

function heldBack({ source, reason, since, until, attempts, now, held, waiting }: HoldProgress): string {
  const next = until > now ? `next try in ${seconds(until - now)}` : 'it is being tried';
  const tries = attempts === 1 ? 'refused once' : `refused ${attempts} times`;
  const parked = [
    ...(held > 0 ? [`${whole(held)} requests held`] : []),
    ...(waiting > 0 ? [`${whole(waiting)} calls waiting`] : []),
  ];
  const rest = parked.length > 0 ? `; ${parked.join(', ')}` : '';
  return `${source} to answer again: ${reason} (for ${seconds(now - since)}, ${tries}, ${next}${rest}); no new requests meanwhile`;
}

const seconds = (ms: number): string => `${whole(Math.max(0, Math.ceil(ms / 1000)))} s`;

function behind({ groups, low, writer }: StoreBacklog): string {
  const rows =
    writer === undefined || writer.rowsPerMessage === 0 ? '' : ` (about ${whole(groups * writer.rowsPerMessage)} rows)`;
  const speed =
    writer === undefined
      ? 'it has not been heard of lately'
      : `it writes ${whole(writer.rowsPerSecond)} rows/s${troubleOf(writer)}`;
  return `the store, which is ${whole(groups)} groups${rows} behind: ${speed}; new requests from ${whole(low)} on`;
}

const troubleOf = ({ waitingFor: words }: WriterReport): string =>
  words.startsWith('the store') ? `, waiting for ${words}` : '';

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
