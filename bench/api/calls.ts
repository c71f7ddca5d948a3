import { performance } from 'node:perf_hooks';
import { quantile } from '../load/quantile.ts';

/** Latencies of one kind of call, in milliseconds. */
export interface Latency {
  calls: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** A kind of call, and how many of every hundred are of it. */
export interface CallKind {
  name: string;
  share: number;
  call: () => Promise<unknown>;
}

/** How calls are made. */
export interface Pace {
  /** Calls in a second, of all kinds together. */
  perSecond: number;
  seconds: number;
  /** Ends the run. */
  signal: AbortSignal;
}

/**
 * Makes calls of several kinds at a fixed pace, whatever the answers take, and returns how long each kind took. A call that is late because
 * the one before it kept this process busy counts from when it was due: slow answers are not hidden by asking less. A call that fails ends the run.
 */
export async function mixedCalls(
  kinds: readonly CallKind[],
  { perSecond, seconds, signal }: Pace,
): Promise<Map<string, Latency>> {
  const order = interleaved(kinds);
  const latencies = new Map(kinds.map(({ name }) => [name, [] as number[]]));
  const open = new Set<Promise<void>>();
  const begun = performance.now();
  const total = Math.round(perSecond * seconds);
  let failure: unknown;
  for (let i = 0; i < total && failure === undefined && !signal.aborted; i += 1) {
    const due = begun + (1000 * i) / perSecond;
    const early = due - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    const kind = order[i % order.length]!;
    const from = Math.max(due, performance.now() - 1_000);
    const done = kind
      .call()
      .then(() => void latencies.get(kind.name)!.push(performance.now() - from))
      .catch((thrown: unknown) => void (failure ??= thrown))
      .finally(() => open.delete(done));
    open.add(done);
  }
  await Promise.all(open);
  if (failure !== undefined) throw failure as Error;
  return new Map([...latencies].map(([name, values]) => [name, latencyOf(values)]));
}

/** Figures of latencies in milliseconds. */
export function latencyOf(values: readonly number[]): Latency {
  return {
    calls: values.length,
    p50: quantile(values, 0.5),
    p95: quantile(values, 0.95),
    p99: quantile(values, 0.99),
    max: quantile(values, 1),
  };
}

/** Kinds by their shares, spread over a list of as many entries as the shares add up to. */
function interleaved(kinds: readonly CallKind[]): CallKind[] {
  const total = kinds.reduce((sum, { share }) => sum + share, 0);
  const given = new Map(kinds.map((kind) => [kind, 0]));
  return Array.from({ length: total }, (_, i) => {
    const behind = (kind: CallKind): number => (kind.share * (i + 1)) / total - given.get(kind)!;
    const next = kinds.reduce((most, kind) => (behind(kind) > behind(most) ? kind : most));
    given.set(next, given.get(next)! + 1);
    return next;
  });
}
