/** What of one job ended within one slice of time. */
export interface Slice {
  job: string;
  /** Number of the slice: whole seconds of its begin, divided by the length of a slice. */
  slice: number;
  /** Requests: what is shared out. One of an evaluation has a single trajectory. */
  groups: number;
  trajectories: number;
}

/** How a run of several jobs shared the machine. */
export interface Shares {
  /** Trajectories a second of all jobs together, over the slices between the first and the last one with any. */
  perSecond: number;
  /** The smallest part of its fair share that a job got in a window through which all of them ran; undefined when there was none. */
  leastShare: number | undefined;
}

/** Options of {@link sharesOf}. */
export interface SharesOptions {
  /** Length of a slice in seconds. */
  sliceSeconds: number;
  /** Length of a window in seconds. */
  windowSeconds: number;
}

/**
 * Throughput and fairness of a run, by when groups ended, those of evaluations too: all of them are work. A window counts only where
 * every job had begun before and ended after it: in the rest of the run fewer jobs share the machine.
 */
export function sharesOf(slices: readonly Slice[], { sliceSeconds, windowSeconds }: SharesOptions): Shares {
  const jobs = new Map<string, Map<number, number>>();
  for (const { job, slice, groups } of slices) {
    const counts = jobs.get(job) ?? new Map<number, number>();
    jobs.set(job, counts.set(slice, (counts.get(slice) ?? 0) + groups));
  }
  if (jobs.size === 0) return { perSecond: 0, leastShare: undefined };
  const spans = [...jobs.values()].map((counts) => [Math.min(...counts.keys()), Math.max(...counts.keys())] as const);
  const [first, last] = [Math.min(...spans.map(([from]) => from)), Math.max(...spans.map(([, to]) => to))];
  const total = slices.reduce((sum, { trajectories }) => sum + trajectories, 0);
  const perSecond = total / ((last - first + 1) * sliceSeconds);
  const length = Math.round(windowSeconds / sliceSeconds);
  // The slices at its ends are partly before and after a job.
  const from = Math.max(...spans.map(([begin]) => begin)) + 1;
  const to = Math.min(...spans.map(([, end]) => end)) - length;
  let leastShare: number | undefined;
  for (let at = from; at <= to; at += 1) {
    const got = [...jobs.values()].map((counts) => {
      let sum = 0;
      for (let slice = at; slice < at + length; slice += 1) sum += counts.get(slice) ?? 0;
      return sum;
    });
    const fair = got.reduce((sum, one) => sum + one, 0) / got.length;
    if (fair > 0) leastShare = Math.min(leastShare ?? Infinity, Math.min(...got) / fair);
  }
  return { perSecond, leastShare };
}
