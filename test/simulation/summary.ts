import type { Commit } from './commit.ts';
import type { Sweep } from './sweep.ts';
import type { Tally } from './tally.ts';

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

/** What a summary says besides what the seeds came to. */
export interface SummaryOptions {
  first: number;
  workers: number;
  commit: Commit;
  /** States that many seeds must reach, with what each means. */
  states: Readonly<Record<string, string>>;
}

/** The line that shows how far it is. */
export function progressLine(
  tally: Tally,
  { seeds, seconds, states }: { seeds: number; seconds: number; states: number },
): string {
  return [
    `${whole(tally.seeds)}${Number.isFinite(seeds) ? ` of ${whole(seeds)}` : ''} seeds`,
    `${(tally.seeds / Math.max(seconds, 0.001)).toFixed(1)}/s`,
    `${tally.failed.length} failed`,
    `${tally.inconclusive.length} inconclusive`,
    `${whole(tally.struck)} faults of ${tally.faults.size} kinds`,
    `${tally.seen.size}${states > 0 ? ` of ${states}` : ''} states`,
  ].join(', ');
}

/** What many seeds came to, for people. */
export function summaryLines({ tally, tookSeconds }: Sweep, { first, workers, commit, states }: SummaryOptions): string[] {
  const rate = tally.seeds / tookSeconds;
  const never = tally.neverSeen(Object.keys(states));
  const changes = commit.hasLocalChanges ? ' with local changes' : '';
  return [
    `${whole(tally.seeds)} seeds from ${first} at commit ${commit.id}${changes}, in ${duration(tookSeconds)}`,
    `  ${rate.toFixed(1)} seeds/s, ${(rate / workers).toFixed(1)} per core on ${workers} workers; ` +
      `${whole(tally.events)} events in ${(tally.seconds / 3600).toFixed(1)} virtual hours`,
    '',
    'Outcomes',
    ...table([
      ['passed', tally.passed],
      ['failed', tally.failed.length],
      ['inconclusive', tally.inconclusive.length],
    ]),
    ...list('Broken', countBy(tally.failed.map(({ invariant }) => invariant))),
    ...list('Inconclusive', countBy(tally.inconclusive.map(({ reason }) => reason))),
    '',
    `Faults injected: ${whole(tally.struck)}`,
    ...table(sorted([...tally.faults].map(([kind, { struck, seeds }]) => [kind, struck, `in ${whole(seeds)} seeds`]))),
    ...list('States seen, in seeds', sorted([...tally.seen])),
    ...(never.length > 0 ? ['', 'Never seen', ...never.map((state) => `  ${state}  ${states[state]}`)] : []),
    '',
    `Hash of all runs ${tally.hash}: another run of the same seeds and sources gives the same`,
  ];
}

/** What `--json` writes. */
export function summaryJson({ tally, reports, tookSeconds }: Sweep, { first, workers, commit, states }: SummaryOptions): unknown {
  return {
    commit: commit.id,
    localChanges: commit.hasLocalChanges,
    first,
    seeds: tally.seeds,
    workers,
    tookSeconds,
    passed: tally.passed,
    failed: tally.failed,
    inconclusive: tally.inconclusive,
    events: tally.events,
    virtualSeconds: tally.seconds,
    faults: Object.fromEntries(tally.faults),
    seen: Object.fromEntries(tally.seen),
    neverSeen: tally.neverSeen(Object.keys(states)),
    hash: tally.hash,
    hashes: Object.fromEntries(tally.hashes),
    problems: tally.problems(Object.keys(states)),
    reports,
  };
}

type Row = [name: string, count: number, more?: string];

function sorted(rows: Row[]): Row[] {
  return rows.sort(([a], [b]) => (a < b ? -1 : 1));
}

function countBy(names: readonly string[]): Row[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return sorted([...counts]);
}

function list(title: string, rows: Row[]): string[] {
  return rows.length === 0 ? [] : ['', title, ...table(rows)];
}

function table(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  const digits = Math.max(...rows.map(([, count]) => whole(count).length));
  return rows.map(([name, count, more]) =>
    `  ${name.padEnd(width)}  ${whole(count).padStart(digits)}${more === undefined ? '' : `  ${more}`}`.trimEnd(),
  );
}

function duration(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return `${(seconds / 60).toFixed(1)} min`;
}
