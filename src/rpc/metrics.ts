/** Upper bounds of the latency buckets in milliseconds; the last bucket has none. */
const LATENCY_BUCKETS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000] as const;

/** What is counted of one method. */
export interface MethodMetrics {
  /** "/millrace.v1.AdminService/GetJob". */
  method: string;
  /** Calls that reached the handler and are not over. */
  active: number;
  /** Calls that are over, by status name ("OK", "NOT_FOUND" ...); refused ones included. */
  calls: Record<string, number>;
  /** Calls per bucket of {@link LATENCY_BUCKETS_MS}, one more for the rest; refused calls are in none. Not cumulative. */
  latency: number[];
  /** Sum of the latencies in milliseconds. */
  latencySumMs: number;
}

/** Counts of a server's calls since it started. */
export class RpcMetrics {
  readonly #methods = new Map<string, MethodMetrics>();

  /** A call reached its handler. */
  started(method: string): void {
    this.#of(method).active += 1;
  }

  /** A call that had started is over. */
  ended(method: string, status: string, milliseconds: number): void {
    const metrics = this.#of(method);
    metrics.active -= 1;
    this.#count(metrics, status);
    const bucket = LATENCY_BUCKETS_MS.findIndex((bound) => milliseconds <= bound);
    const index = bucket === -1 ? LATENCY_BUCKETS_MS.length : bucket;
    metrics.latency[index] = (metrics.latency[index] ?? 0) + 1;
    metrics.latencySumMs += milliseconds;
  }

  /** A call was refused before it reached its handler. */
  refused(method: string, status: string): void {
    this.#count(this.#of(method), status);
  }

  /** A copy of the counts, by method name in alphabetical order. */
  snapshot(): MethodMetrics[] {
    return [...this.#methods.values()].map((metrics) => structuredClone(metrics)).sort((a, b) => (a.method < b.method ? -1 : 1));
  }

  #count(metrics: MethodMetrics, status: string): void {
    metrics.calls[status] = (metrics.calls[status] ?? 0) + 1;
  }

  #of(method: string): MethodMetrics {
    let metrics = this.#methods.get(method);
    if (!metrics) {
      metrics = {
        method,
        active: 0,
        calls: {},
        latency: Array(LATENCY_BUCKETS_MS.length + 1).fill(0) as number[],
        latencySumMs: 0,
      };
      this.#methods.set(method, metrics);
    }
    return metrics;
  }
}
