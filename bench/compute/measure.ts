import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { CASES, caseName, type ComputeCase } from './cases.ts';
import { differences } from './compare.ts';
import { exportCase } from './export.ts';
import type { Participant } from './participant.ts';
import { type Kind, KINDS, type Loaded, type Timed } from './protocol.ts';
import { median, repetitionsFor } from './statistics.ts';

/** How long to measure. */
export interface Effort {
  /** Milliseconds of one participant's turn. */
  burstMs: number;
  /** Turns of each participant for a case and kind. */
  rounds: number;
  /** Participants so slow that their turns took this long together sit out the rest, once they have had three. */
  mostMs: number;
  /** Repetitions before anything is counted, and for how many milliseconds at least. */
  warmup: { repetitions: number; ms: number };
}

/** The usual effort. */
export const FULL: Effort = { burstMs: 150, rounds: 9, mostMs: 10_000, warmup: { repetitions: 4, ms: 1500 } };
/** Enough for a look. */
export const QUICK: Effort = { burstMs: 60, rounds: 3, mostMs: 3000, warmup: { repetitions: 2, ms: 100 } };

/** The clock on the wall, or time of the process on its processor: what to look at when others use the same core. */
export type Clock = keyof Timed;

/** One measurement. */
export interface Measured {
  policy: string;
  size: string;
  kind: Kind;
  backend: string;
  wallMs: number;
  cpuMs: number;
}

/** Measures cases with all participants taking turns; `note` is told what is being done. */
export async function measure(
  participants: readonly Participant[],
  cases: readonly ComputeCase[],
  effort: Effort,
  { note, signal }: { note: (line: string) => void; signal: AbortSignal },
): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const measured: Measured[] = [];
  try {
    for (const each of cases) {
      const own = join(folder, String(CASES.indexOf(each)));
      mkdirSync(own);
      exportCase(each, own);
      await prove(participants, each, own);
      for (const kind of KINDS) {
        signal.throwIfAborted();
        note(`${caseName(each)}: ${kind}`);
        const times = await inTurns(participants, kind, effort, signal);
        participants.forEach(({ name: backend }, index) => {
          const { wall, cpu } = times[index]!;
          measured.push({ policy: each.policy, size: each.size, kind, backend, wallMs: median(wall), cpuMs: median(cpu) });
        });
      }
      rmSync(own, { recursive: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return measured;
}

/** All take up the case and must compute the same: otherwise what is timed is not the same work. */
export async function prove(participants: readonly Participant[], each: ComputeCase, folder: string): Promise<void> {
  const loaded: Loaded[] = [];
  for (const participant of participants) loaded.push(await participant.load(CASES.indexOf(each), folder));
  const [reference] = loaded;
  loaded.forEach((other, index) => {
    const found = differences(reference!, other);
    if (found.length === 0) return;
    throw new MillraceError(
      'failed_precondition',
      `${caseName(each)}: ${participants[0]!.name} and ${participants[index]!.name} do not compute the same, so their times cannot ` +
        `be compared:\n${found.map((line) => `  ${line}`).join('\n')}`,
    );
  });
}

/** Short bursts, one participant after the other, so that what else the machine does hits all of them. */
export async function inTurns(
  participants: readonly Participant[],
  kind: Kind,
  effort: Effort,
  signal: AbortSignal,
): Promise<Timed[]> {
  const repetitions: number[] = [];
  for (const participant of participants) repetitions.push(await warmUp(participant, kind, effort));
  const times: Timed[] = participants.map(() => ({ wall: [], cpu: [] }));
  for (let round = 0; round < effort.rounds; round++) {
    for (const [index, participant] of participants.entries()) {
      signal.throwIfAborted();
      if (round >= FEWEST_ROUNDS && sum(times[index]!.wall) > effort.mostMs) continue;
      // The caches hold another process's numbers: the first repetitions of a turn bring ours back and are not counted.
      const { wall, cpu } = await participant.time(kind, repetitions[index]!, Math.ceil(repetitions[index]! / 8));
      times[index]!.wall.push(...wall);
      times[index]!.cpu.push(...cpu);
    }
  }
  return times;
}

/** Turns that everyone gets. */
const FEWEST_ROUNDS = 3;

/** Runs until compilers and caches have settled; returns how many repetitions fill a turn. */
async function warmUp(participant: Participant, kind: Kind, { warmup, burstMs, mostMs }: Effort): Promise<number> {
  let last: number[] = [];
  for (let spent = 0, done = 0; (spent < warmup.ms || done < warmup.repetitions) && spent < mostMs / 4;) {
    ({ wall: last } = await participant.time(kind, last.length === 0 ? 1 : repetitionsFor(100, median(last)), 0));
    spent += sum(last);
    done += last.length;
  }
  return repetitionsFor(burstMs, median(last));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
