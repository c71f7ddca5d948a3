import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ProcessMonitor } from './process-stats.ts';

/** One metric: what it is, what it measures, its labels. Labels have few values: never an id of a task or trajectory. */
interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

const SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

/** Every metric of Millrace, without the `millrace_` that all names begin with. Each is counted by one role. */
export const METRICS = {
  // Coordinator.
  requests_total: { type: 'counter', help: 'Rollout requests sent, by purpose.', labels: ['job', 'purpose'] },
  requests_refused_total: {
    type: 'counter',
    help: 'Requests that ROLLOUTS refused because it was full: backpressure.',
    labels: ['job'],
  },
  held_out_success: {
    type: 'gauge',
    help: 'Held-out success of the judged flows at the last evaluation.',
    labels: ['job', 'planner'],
  },
  held_out_judged: { type: 'gauge', help: 'Flows judged at the last evaluation.', labels: ['job', 'planner'] },
  held_out_not_judged: {
    type: 'gauge',
    help: 'Flows of the last evaluation that failed for infrastructure reasons; they are excluded from the rate.',
    labels: ['job', 'planner'],
  },
  requests_held: { type: 'gauge', help: 'Requests handed back because a service did not answer (RetryLater).', labels: ['job'] },
  queue_messages: {
    type: 'gauge',
    help: 'Messages of work queues: waiting for a worker, or in the hand of one.',
    labels: ['stream', 'state'],
  },
  // Rollout.
  groups_rolled_out_total: { type: 'counter', help: 'Groups run and published, by purpose.', labels: ['job', 'purpose'] },
  trajectories_total: {
    type: 'counter',
    help: 'Trajectories run, by outcome: ok, or the failure class.',
    labels: ['job', 'outcome'],
  },
  steps_total: { type: 'counter', help: 'Steps of those trajectories.', labels: ['job'] },
  tool_errors_total: { type: 'counter', help: 'Tool errors returned to flows.', labels: ['job'] },
  resamples_total: { type: 'counter', help: 'Trajectories sampled again after a failure.', labels: ['job'] },
  rollout_seconds: { type: 'histogram', help: 'Time of one group.', labels: ['job'], buckets: SECONDS },
  policy_calls_total: { type: 'counter', help: 'Decisions asked of the policy.', labels: [] },
  policy_batches_total: { type: 'counter', help: 'Evaluations of the policy that answered them.', labels: [] },
  // Reward.
  live_tasks_total: {
    type: 'counter',
    help: 'Live tasks solved, by outcome: ok, or the error code.',
    labels: ['job', 'outcome'],
  },
  groups_scored_total: { type: 'counter', help: 'Groups scored, by verdict.', labels: ['job', 'verdict'] },
  // Parameter server.
  groups_total: {
    type: 'counter',
    help: 'Training groups counted in the ledger, by how they ended.',
    labels: ['job', 'outcome'],
  },
  rounds_total: { type: 'counter', help: 'Committed rounds.', labels: ['job'] },
  round_seconds: { type: 'histogram', help: 'Time from one commit to the next.', labels: ['job'], buckets: SECONDS },
  round_wait_seconds_total: { type: 'counter', help: 'Part of it spent waiting for scored groups.', labels: ['job'] },
  staleness_versions: {
    type: 'histogram',
    help: 'Versions between dispatch and use of a group.',
    labels: ['job'],
    buckets: [0, 1, 2, 4, 8, 16],
  },
  policy_version: { type: 'gauge', help: 'Newest committed policy version.', labels: ['job'] },
  reward: { type: 'gauge', help: 'Mean training reward of the last round.', labels: ['job'] },
  learners: { type: 'gauge', help: 'Learners connected.', labels: [] },
  checkpoints_failed_total: { type: 'counter', help: 'Checkpoints that could not be written.', labels: ['job'] },
  // Learner.
  shard_seconds: { type: 'histogram', help: 'Time a learner computed on one shard.', labels: ['job'], buckets: SECONDS },
  shards_failed_total: { type: 'counter', help: 'Shards a learner could not compute.', labels: ['job'] },
  // Store.
  store_rows_total: { type: 'counter', help: 'Rows inserted and acknowledged.', labels: [] },
  store_batches_total: { type: 'counter', help: 'Inserts, without repetitions.', labels: [] },
  store_retries_total: { type: 'counter', help: 'Inserts that failed and were repeated.', labels: [] },
  store_refused_total: { type: 'counter', help: 'Messages whose rows the store refuses.', labels: [] },
  store_held_rows: { type: 'gauge', help: 'Rows that wait for their insert.', labels: [] },
  store_held_bytes: { type: 'gauge', help: 'Bytes of the messages that hold them.', labels: [] },
  clickhouse_requests_total: {
    type: 'counter',
    help: 'Requests to the ClickHouse interface, by HTTP status; aborted: ended early by either side.',
    labels: ['status'],
  },
  clickhouse_seconds_total: { type: 'counter', help: 'Total time of those requests.', labels: [] },
  clickhouse_queries: { type: 'gauge', help: 'Queries of that interface that run or wait.', labels: ['state'] },
  store_backlog_groups: { type: 'gauge', help: 'Scored groups that wait to be written.', labels: [] },
  store_detached_parts: { type: 'gauge', help: 'Parts that ClickHouse has detached, by table.', labels: ['table'] },
  store_detached_rows: { type: 'gauge', help: 'Rows of those parts, as far as known.', labels: ['table'] },
  disk_free_bytes: { type: 'gauge', help: 'Free space on the disk of the state folder, while a job runs.', labels: [] },
  admission_held: {
    type: 'gauge',
    help: '1 while no requests are sent because the store is behind or the disk is full.',
    labels: ['job'],
  },
  // Gateway.
  gateway_requests_total: { type: 'counter', help: 'HTTP requests answered by the gateway, by status.', labels: ['status'] },
  gateway_active: { type: 'gauge', help: 'HTTP requests in progress there.', labels: [] },
  // Every node.
  mailbox_depth: { type: 'gauge', help: 'Messages waiting in the mailbox of an actor.', labels: ['actor'] },
  actor_restarts_total: { type: 'counter', help: 'Restarts of the current actors of a node.', labels: ['actor'] },
  worker_messages_total: {
    type: 'counter',
    help: 'Messages processed by a worker, by outcome.',
    labels: ['durable', 'outcome'],
  },
  messages_in_flight: { type: 'gauge', help: 'Messages that an actor or worker is processing.', labels: ['actor'] },
  rpc_total: { type: 'counter', help: 'gRPC calls answered, by method and status.', labels: ['method', 'code'] },
  rpc_seconds_total: { type: 'counter', help: 'Total time of those calls.', labels: ['method'] },
  rpc_active: { type: 'gauge', help: 'gRPC calls in progress.', labels: ['method'] },
} as const satisfies Record<string, Metric>;

type Metrics = typeof METRICS;
/** A metric's name. */
export type MetricName = keyof Metrics;
type OfType<T extends Metric['type']> = { [K in MetricName]: Metrics[K]['type'] extends T ? K : never }[MetricName];
/** Exactly the labels of one metric. */
export type LabelsOf<N extends MetricName> = Readonly<Record<Metrics[N]['labels'][number], string>>;

/** The metrics of one process. */
export interface MetricsRegistry {
  /** Adds to a counter; by 1 unless told. */
  count<N extends OfType<'counter'>>(name: N, labels: LabelsOf<N>, by?: number): void;
  /** Sets a gauge. */
  set<N extends OfType<'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Sets a counter to what somebody else has counted; never less than before. */
  total<N extends OfType<'counter'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Puts a value into a histogram; seconds where the name says so. */
  observe<N extends OfType<'histogram'>>(name: N, labels: LabelsOf<N>, value: number): void;
  /** Has `read` called before each scrape: for what is counted elsewhere. */
  onScrape(read: () => void): void;
  /** Forgets the series of a job that ended, so that their number stays bounded. */
  forgetJob(job: string): Promise<void>;
  /** The text that Prometheus scrapes. */
  text(): Promise<string>;
  /** The content type of that text. */
  readonly contentType: string;
}

/** Options of {@link createMetrics}. */
export interface MetricsOptions {
  /** Put on every series. */
  readonly node?: string;
  readonly role?: string;
  /** When given, resident size, processor time and event-loop delay are read from it at each scrape. */
  readonly monitor?: ProcessMonitor;
}

/** A registry of all of {@link METRICS}, apart from any other in the process. */
export function createMetrics(options: MetricsOptions = {}): MetricsRegistry {
  const registry = new Registry();
  const { node, role, monitor } = options;
  registry.setDefaultLabels({ ...(node === undefined ? {} : { node }), ...(role === undefined ? {} : { node_role: role }) });
  const made = new Map<string, Counter | Gauge | Histogram>();
  const readers: (() => void)[] = [];
  const make = (key: string, metric: Metric): Counter | Gauge | Histogram => {
    const common = { name: `millrace_${key}`, help: metric.help, labelNames: [...metric.labels], registers: [registry] };
    if (metric.type === 'counter') return new Counter(common);
    if (metric.type === 'gauge') return new Gauge(common);
    return new Histogram({ ...common, buckets: [...(metric.buckets ?? SECONDS)] });
  };
  /** Made when it is first used or scraped: a node uses few of them, and one process of tests or of simulation has many nodes. */
  const get = (key: MetricName): Counter | Gauge | Histogram => {
    let metric = made.get(key);
    if (metric === undefined) made.set(key, (metric = make(key, METRICS[key])));
    return metric;
  };
  const counter = (key: MetricName): Counter => get(key) as Counter;
  if (monitor !== undefined) registerProcess(registry, monitor);
  return {
    count(name, labels, by = 1) {
      counter(name).inc(labels, by);
    },
    set(name, labels, value) {
      (get(name) as Gauge).set(labels, value);
    },
    observe(name, labels, value) {
      (get(name) as Histogram).observe(labels, value);
    },
    total(name, labels, value) {
      counter(name).remove(labels);
      counter(name).inc(labels, value);
    },
    onScrape(read) {
      readers.push(read);
    },
    async forgetJob(job) {
      for (const [key, metric] of Object.entries<Metric>(METRICS)) {
        if (metric.labels.includes('job')) await removeJob(made.get(key), job);
      }
    },
    text() {
      for (const read of readers) read();
      for (const name of Object.keys(METRICS) as MetricName[]) get(name);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

async function removeJob(metric: Counter | Gauge | Histogram | undefined, job: string): Promise<void> {
  if (metric === undefined) return;
  const { values } = await metric.get();
  for (const { labels } of values) {
    if (labels['job'] !== job) continue;
    const own = Object.fromEntries(Object.entries(labels).filter(([name]) => name !== 'le'));
    metric.remove(own as Record<string, string>);
  }
}

/** What the process uses, read once a scrape. */
function registerProcess(registry: Registry, monitor: ProcessMonitor): void {
  const gauge = (name: string, help: string, collect?: () => void): Gauge =>
    new Gauge({ name: `millrace_process_${name}`, help, registers: [registry], ...(collect === undefined ? {} : { collect }) });
  // Registered first, and so collected first: the others then hold this scrape's values.
  const resident = gauge('resident_memory_bytes', 'Resident size.', () => {
    const stats = monitor.read();
    resident.set(stats.rssBytes);
    peak.set(stats.peakRssBytes);
    cpu.set(stats.cpuSeconds);
    delay.set(stats.eventLoopDelayMs / 1000);
  });
  const peak = gauge('resident_memory_peak_bytes', 'Highest resident size since the process began.');
  const cpu = gauge('cpu_seconds', 'User and system time since the process began.');
  const delay = gauge('event_loop_delay_seconds', "99th percentile of the event loop's delay since the last scrape.");
}
