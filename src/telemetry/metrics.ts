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

/** Every metric of Millrace, without the `millrace_` that all names begin with. */
export const METRICS = {
  groups_total: { type: 'counter', help: 'Groups by how they ended.', labels: ['job', 'outcome'] },
  trajectories_total: { type: 'counter', help: 'Trajectories run by outcome.', labels: ['job', 'outcome'] },
  steps_total: { type: 'counter', help: 'Steps run by kind and status.', labels: ['job', 'kind', 'status'] },
  resamples_total: { type: 'counter', help: 'Trajectories sampled again, by failure class.', labels: ['job', 'class'] },
  tool_calls_total: { type: 'counter', help: 'Tool calls by tool and status.', labels: ['job', 'tool', 'status'] },
  policy_batch_size: {
    type: 'histogram',
    help: 'Observations in one policy call.',
    labels: ['job'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
  },
  policy_call_seconds: { type: 'histogram', help: 'Time of one batched policy call.', labels: ['job'], buckets: SECONDS },
  rounds_total: { type: 'counter', help: 'Committed rounds.', labels: ['job'] },
  round_seconds: { type: 'histogram', help: 'Time from one commit to the next.', labels: ['job'], buckets: SECONDS },
  wait_for_batch_seconds_total: { type: 'counter', help: 'Time the parameter server waited for scored groups.', labels: ['job'] },
  wait_for_policy_seconds_total: { type: 'counter', help: 'Time rollouts waited for a newer policy.', labels: ['job'] },
  staleness_versions: {
    type: 'histogram',
    help: 'Versions between dispatch and use of a group.',
    labels: ['job'],
    buckets: [0, 1, 2, 4, 8, 16],
  },
  policy_version: { type: 'gauge', help: 'Newest policy version this process knows.', labels: ['job'] },
  reward: { type: 'gauge', help: 'Mean training reward of the last round.', labels: ['job'] },
  held_out_success: { type: 'gauge', help: 'Held-out success at the last evaluation.', labels: ['job'] },
  shard_seconds: { type: 'histogram', help: 'Time a learner computed on one shard.', labels: ['job'], buckets: SECONDS },
  weight_transfer_seconds: {
    type: 'histogram',
    help: 'Time to publish or fetch one version of the weights.',
    labels: ['direction'],
    buckets: SECONDS,
  },
  store_rows_total: { type: 'counter', help: 'Rows inserted by table.', labels: ['table'] },
  store_insert_seconds: { type: 'histogram', help: 'Time of one insert.', labels: ['table'], buckets: SECONDS },
  messages_total: { type: 'counter', help: 'Messages handled by stream and result.', labels: ['stream', 'result'] },
  redeliveries_total: { type: 'counter', help: 'Messages delivered again by stream.', labels: ['stream'] },
  in_flight: { type: 'gauge', help: 'Messages taken and not yet acked by stream.', labels: ['stream'] },
  mailbox_depth: { type: 'gauge', help: 'Messages waiting in the mailboxes of a role.', labels: ['role'] },
  actor_restarts_total: { type: 'counter', help: 'Actors restarted by their supervisor.', labels: ['role'] },
  rpc_total: { type: 'counter', help: 'gRPC calls by method and status.', labels: ['method', 'code'] },
  rpc_seconds: { type: 'histogram', help: 'Time of one gRPC call.', labels: ['method'], buckets: SECONDS },
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
  /** Puts a value into a histogram; seconds where the name says so. */
  observe<N extends OfType<'histogram'>>(name: N, labels: LabelsOf<N>, value: number): void;
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
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  for (const [key, metric] of Object.entries<Metric>(METRICS)) {
    const common = { name: `millrace_${key}`, help: metric.help, labelNames: [...metric.labels], registers: [registry] };
    if (metric.type === 'counter') counters.set(key, new Counter(common));
    else if (metric.type === 'gauge') gauges.set(key, new Gauge(common));
    else histograms.set(key, new Histogram({ ...common, buckets: [...(metric.buckets ?? SECONDS)] }));
  }
  if (monitor !== undefined) registerProcess(registry, monitor);
  return {
    count(name, labels, by = 1) {
      counters.get(name)?.inc(labels, by);
    },
    set(name, labels, value) {
      gauges.get(name)?.set(labels, value);
    },
    observe(name, labels, value) {
      histograms.get(name)?.observe(labels, value);
    },
    async forgetJob(job) {
      for (const [key, metric] of Object.entries<Metric>(METRICS)) {
        if (metric.labels.includes('job')) await removeJob(counters.get(key) ?? gauges.get(key) ?? histograms.get(key), job);
      }
    },
    text: () => registry.metrics(),
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
