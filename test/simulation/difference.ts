import type { TraceEvent } from '../../cluster/simulation/trace.ts';
import { Farm, type SeedResult } from './farm.ts';

/**
 * Where two runs of a seed part.
 *
 * @returns both events in words; undefined where the runs are equal
 */
function firstDifference(a: readonly TraceEvent[], b: readonly TraceEvent[]): string | undefined {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const [here, there] = [inWords(a[i]), inWords(b[i])];
    if (here !== there) return `event ${i} was "${here}" the first time and "${there}" the second`;
  }
  return undefined;
}

function inWords(event: TraceEvent | undefined): string {
  return event === undefined ? 'the end' : `${event.at} ms ${event.lane} ${event.kind} ${event.text}`;
}

/** Runs a seed again that gave different hashes, twice in a process of its own, and says where the runs part. */
export async function explainDifference(seed: number): Promise<string> {
  const farm = new Farm(1);
  try {
    const once = (): Promise<SeedResult> => farm.run({ seed, trace: true });
    const [first, second] = [await once(), await once()];
    return (
      firstDifference(first.trace ?? [], second.trace ?? []) ??
      'two runs in a process of their own were equal, so it depends on what ran before in the process'
    );
  } finally {
    await farm.close();
  }
}
