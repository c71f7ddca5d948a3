import { z } from 'zod';
import { UNIT_LENGTH, type Arm } from './assignment.ts';

const count = z.int().min(0);
const both = <T extends z.ZodType>(of: T) => z.object({ champion: of, candidate: of });
const waitingSchema = z.object({ ordinal: z.int().min(1), reward: z.number() });

/** What an experiment has counted so far. Every field follows from the outcomes in the order in which they were counted. */
export const tallySchema = z.object({
  /** Units that have been counted, in order, one after the other without a separator. */
  units: z.string().default(''),
  /** Units by arm. */
  counted: both(count).default({ champion: 0, candidate: 0 }),
  /** Sum of their rewards. */
  sums: both(z.number()).default({ champion: 0, candidate: 0 }),
  /** Outcomes that wait for one of the other arm, oldest first; one of the two lists is empty. */
  waiting: both(z.array(waitingSchema)).default({ champion: [], candidate: [] }),
  /** W: pairs in which the candidate has the higher reward. */
  wins: count.default(0),
  /** L: pairs in which the champion has it. */
  losses: count.default(0),
  /** Pairs of equal rewards. */
  ties: count.default(0),
});

/** See {@link tallySchema}. */
export type Tally = z.infer<typeof tallySchema>;

/** The reward of a task that was served to a unit. */
export interface Outcome {
  unit: string;
  arm: Arm;
  /** 1 and 0 where it is a success or a failure. */
  reward: number;
}

/** What counting an outcome did. */
export interface Counted {
  tally: Tally;
  /** Its number among the outcomes of the experiment, from 1. */
  ordinal: number;
  /** Number of the outcome that it was compared with; 0 while it waits for one. */
  pairedWith: number;
}

/** Units that an experiment counts at most: its record travels as one message. */
export const MOST_UNITS = 20_000;

/** Outcomes of an arm that wait at most; the oldest is then compared with nothing. */
export const MOST_WAITING = 16;

/** A tally of nothing. */
export const emptyTally = (): Tally => tallySchema.parse({});

/** Pairs so far. */
export const pairsOf = ({ wins, losses, ties }: Pick<Tally, 'wins' | 'losses' | 'ties'>): number => wins + losses + ties;

/** Units so far. */
export const unitsOf = ({ counted }: Pick<Tally, 'counted'>): number => counted.champion + counted.candidate;

/** Whether a unit has been counted. */
export function hasUnit({ units }: Pick<Tally, 'units'>, unit: string): boolean {
  for (let at = units.indexOf(unit); at >= 0; at = units.indexOf(unit, at + 1)) if (at % UNIT_LENGTH === 0) return true;
  return false;
}

/**
 * Counts one more outcome; undefined when its unit has been counted before: a unit counts once, with its first reward.
 *
 * An outcome is compared with the newest one of the other arm that waits, so that the two are close in time whatever share of the units each
 * arm has. Which outcomes are compared depends on their order and arms alone, never on rewards. Rewards are compared to six digits, as they are kept.
 */
export function countOutcome(tally: Tally, { unit, arm, reward }: Outcome): Counted | undefined {
  if (hasUnit(tally, unit)) return undefined;
  const ordinal = unitsOf(tally) + 1;
  const own = roundedReward(reward);
  const other: Arm = arm === 'candidate' ? 'champion' : 'candidate';
  const next: Tally = {
    ...tally,
    units: tally.units + unit,
    counted: { ...tally.counted, [arm]: tally.counted[arm] + 1 },
    sums: { ...tally.sums, [arm]: tally.sums[arm] + own },
  };
  const opposite = tally.waiting[other].at(-1);
  if (opposite === undefined) {
    next.waiting = { ...tally.waiting, [arm]: [...tally.waiting[arm], { ordinal, reward: own }].slice(-MOST_WAITING) };
    return { tally: next, ordinal, pairedWith: 0 };
  }
  next.waiting = { ...tally.waiting, [other]: tally.waiting[other].slice(0, -1) };
  const [candidate, champion] = arm === 'candidate' ? [own, opposite.reward] : [opposite.reward, own];
  if (candidate > champion) next.wins += 1;
  else if (candidate < champion) next.losses += 1;
  else next.ties += 1;
  return { tally: next, ordinal, pairedWith: opposite.ordinal };
}

/** A reward as it is kept and compared: to six significant digits. */
export const roundedReward = (reward: number): number => Number(reward.toPrecision(6));
