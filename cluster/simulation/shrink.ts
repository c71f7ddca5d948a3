/** What a run with some of its faults came to. */
export interface ShrinkRun {
  /** The invariant that broke; undefined where none did. */
  invariant?: string | undefined;
  /** Ids of the faults that struck, all of them among those that might. */
  struck: readonly string[];
}

/** Options of {@link shrink}. */
export interface ShrinkOptions {
  /** Ids of the faults that struck in the failing run. */
  struck: readonly string[];
  /** The invariant that must break again; a run that breaks another one does not count. */
  invariant: string;
  /** Runs the seed with these faults only. */
  run: (only: ReadonlySet<string>) => Promise<ShrinkRun>;
  /** Runs at most. Default 300. */
  maxRuns?: number;
  /** Asked before every run; true ends the search with the fewest faults so far. Default: never. */
  stop?: () => boolean;
}

/** What {@link shrink} found. */
export interface Shrunk {
  /** Ids of faults that break the invariant, in the order in which they struck. */
  faults: readonly string[];
  runs: number;
  /** The invariant broke again with all faults; otherwise the run does not follow from its seed. */
  reproduced: boolean;
  /** No single fault can be left out. False where the search was ended before. */
  minimal: boolean;
}

/**
 * Finds few faults that break the same invariant: delta debugging (`ddmin` of Zeller and Hildebrandt, "Simplifying and isolating
 * failure-inducing input", 2002). Before that it tries no fault at all. Of each run that fails, what did not strike is dropped as well.
 */
export async function shrink({ struck, invariant, run, maxRuns = 300, stop = () => false }: ShrinkOptions): Promise<Shrunk> {
  let runs = 0;
  let ended = false;
  const tried = new Set<string>();
  /** Those of `faults` that struck when the invariant broke again; undefined where it did not break. */
  const breaks = async (faults: readonly string[]): Promise<string[] | undefined> => {
    const key = [...faults].sort().join('\n');
    if (ended || tried.has(key)) return undefined;
    if (runs >= maxRuns || stop()) {
      ended = true;
      return undefined;
    }
    tried.add(key);
    runs += 1;
    const result = await run(new Set(faults));
    return result.invariant === invariant ? [...result.struck] : undefined;
  };

  const again = await breaks(struck);
  if (again === undefined) return { faults: struck, runs, reproduced: false, minimal: false };
  let faults = (await breaks([])) ?? again;
  for (let parts = 2; faults.length > 1 && parts <= faults.length;) {
    const fewer = await firstOf(candidates(faults, parts), breaks);
    if (fewer === undefined) {
      if (parts === faults.length) break;
      parts = Math.min(faults.length, parts * 2);
    } else {
      faults = fewer.faults;
      parts = Math.max(2, Math.min(fewer.from === 'part' ? 2 : parts - 1, faults.length));
    }
  }
  return { faults, runs, reproduced: true, minimal: !ended };
}

interface Candidate {
  faults: readonly string[];
  from: 'part' | 'rest';
}

/** The faults cut into parts: each part alone, then all but each part. */
function candidates(faults: readonly string[], parts: number): Candidate[] {
  const bounds = Array.from({ length: parts + 1 }, (_, i) => Math.round((i * faults.length) / parts));
  const cuts = Array.from({ length: parts }, (_, i) => [bounds[i]!, bounds[i + 1]!] as const);
  const alone = cuts.map(([from, to]): Candidate => ({ faults: faults.slice(from, to), from: 'part' }));
  if (parts === 2) return alone;
  const rest = cuts.map(([from, to]): Candidate => ({ faults: [...faults.slice(0, from), ...faults.slice(to)], from: 'rest' }));
  return [...alone, ...rest];
}

async function firstOf(
  tries: readonly Candidate[],
  breaks: (faults: readonly string[]) => Promise<string[] | undefined>,
): Promise<{ faults: string[]; from: Candidate['from'] } | undefined> {
  for (const { faults, from } of tries) {
    const struck = await breaks(faults);
    if (struck !== undefined) return { faults: struck, from };
  }
  return undefined;
}
