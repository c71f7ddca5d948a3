import { z } from 'zod';
import { MillraceError } from '../../errors.ts';
import { decodeStored } from '../stored-json.ts';
import { ARMS } from './assignment.ts';
import { decide, type Verdict } from './decision.ts';
import { countOutcome, emptyTally, pairsOf, tallySchema, unitsOf, type Outcome } from './tally.ts';

const time = z.int().min(0);
const count = z.int().min(0);

/** What names an experiment. */
export const EXPERIMENT_ID = /^[a-z0-9][a-z0-9-]{0,39}$/;

/** Names a policy: `<job>@<version>`. */
export const POLICY_NAME = /^[a-z0-9][a-z0-9-]{0,39}@\d{1,10}$/;

/** How experiments end. */
export const EXPERIMENT_STATES = ['RUNNING', 'PROMOTED', 'ROLLED_BACK', 'INCONCLUSIVE', 'STOPPED'] as const;

export type ExperimentState = (typeof EXPERIMENT_STATES)[number];

/** What a decision does. */
const DECISION_KINDS = ['promote', 'rollback', 'inconclusive', 'stop'] as const;

const decisionSchema = z.object({
  kind: z.enum(DECISION_KINDS),
  /** Who decided: the rule, or a person. */
  by: z.enum(['rule', 'person']),
  reason: z.string(),
  wins: count,
  losses: count,
  ties: count,
  /** Outcomes counted by then. */
  units: count,
  evidence: z.number(),
  threshold: z.number(),
  alpha: z.number(),
  at: time,
});

/** A decision with the numbers that it was made with. */
export type Decision = z.infer<typeof decisionSchema>;

const rowSchema = z.object({
  ordinal: z.int().min(1),
  pairedWith: count,
  unit: z.string(),
  arm: z.enum(ARMS),
  trajectory: z.string(),
  reward: z.number(),
  servedAt: time,
  at: time,
});

/** A counted outcome that may not be in the stream of events yet. */
export type OutcomeRow = z.infer<typeof rowSchema>;

/** Version of the layout; see `RECORD_FORMAT` of jobs. */
const FORMAT = 1;

/** What bucket `experiments` holds under an experiment's id, as JSON. Times are Unix milliseconds. */
export const experimentSchema = z.object({
  format: z.literal(FORMAT).default(FORMAT),
  id: z.string().regex(EXPERIMENT_ID),
  /** The agent whose tasks are shared. */
  agent: z.string(),
  /** What is served, `<job>@<version>`, and what may take its place. */
  champion: z.string().regex(POLICY_NAME),
  candidate: z.string().regex(POLICY_NAME),
  /** Of the units that meet the candidate. */
  share: z.number().min(0).max(1),
  alpha: z.number().gt(0).max(0.5),
  minPairs: z.int().min(1),
  maxPairs: z.int().min(1),
  /** How long after a task was served its reward counts. */
  rewardWithinMs: z.int().min(1),
  owner: z.string(),
  state: z.enum(EXPERIMENT_STATES).default('RUNNING'),
  createdAt: time,
  endedAt: time.optional(),
  /** The request that created it, where that had an id; digest: of its content. */
  request: z.object({ id: z.string(), digest: z.string() }).optional(),
  tally: tallySchema,
  evidence: z.number().default(1),
  decision: decisionSchema.optional(),
  /** The decision is in the registry. */
  applied: z.boolean().default(false),
  /** What has to be published as rows, oldest first. */
  unpublished: z.object({ outcomes: z.array(rowSchema), decision: z.boolean() }).default({ outcomes: [], decision: false }),
});

/** An experiment as stored. */
export type Experiment = z.infer<typeof experimentSchema>;

/** What an experiment begins with. */
export type NewExperiment = Pick<
  Experiment,
  'id' | 'agent' | 'champion' | 'candidate' | 'share' | 'alpha' | 'minPairs' | 'maxPairs' | 'rewardWithinMs' | 'owner' | 'request'
>;

/** A RUNNING experiment that has counted nothing. */
export function newExperiment(given: NewExperiment, now: number): Experiment {
  return experimentSchema.parse({ ...given, createdAt: Math.round(now), tally: emptyTally() });
}

/** The reward of a task that an experiment served. */
export interface ServedOutcome extends Outcome {
  trajectory: string;
  /** When the task was served, and when its reward came: Unix milliseconds. */
  servedAt: number;
  at: number;
}

const STATE_AFTER: Readonly<Record<Decision['kind'], ExperimentState>> = {
  promote: 'PROMOTED',
  rollback: 'ROLLED_BACK',
  inconclusive: 'INCONCLUSIVE',
  stop: 'STOPPED',
};

/**
 * The experiment with one more outcome, and with its decision where that is due. Undefined when the outcome counts for nothing: the experiment
 * has ended, or the unit was counted before.
 */
export function withOutcome(
  experiment: Experiment,
  { trajectory, servedAt, at, ...outcome }: ServedOutcome,
): Experiment | undefined {
  if (experiment.state !== 'RUNNING') return undefined;
  const counted = countOutcome(experiment.tally, outcome);
  if (counted === undefined) return undefined;
  const { tally, ordinal, pairedWith } = counted;
  const { evidence, verdict } = decide(tally, experiment);
  const reward = Number(outcome.reward.toPrecision(6));
  const row: OutcomeRow = { ordinal, pairedWith, unit: outcome.unit, arm: outcome.arm, trajectory, reward, servedAt, at };
  const { unpublished } = experiment;
  const next: Experiment = {
    ...experiment,
    tally,
    evidence,
    unpublished: { ...unpublished, outcomes: [...unpublished.outcomes, row] },
  };
  return verdict === undefined ? next : decided(next, { kind: verdict, by: 'rule', reason: reasonOf(verdict, next), at });
}

/** The experiment after a decision, with the numbers of its tally. @param what - `at` in Unix milliseconds */
export function decided(experiment: Experiment, what: Pick<Decision, 'kind' | 'by' | 'reason' | 'at'>): Experiment {
  const { tally, alpha } = experiment;
  const { evidence, threshold } = decide(tally, experiment);
  const { wins, losses, ties } = tally;
  const decision: Decision = { ...what, wins, losses, ties, units: unitsOf(tally), evidence, threshold, alpha };
  const unpublished = { ...experiment.unpublished, decision: true };
  return { ...experiment, state: STATE_AFTER[what.kind], endedAt: what.at, evidence, decision, unpublished };
}

function reasonOf(verdict: Verdict, { tally, evidence, alpha, maxPairs }: Experiment): string {
  const { wins, losses } = tally;
  if (verdict === 'inconclusive')
    return `no winner after ${pairsOf(tally)} pairs and ${unitsOf(tally)} units (at most ${maxPairs} pairs)`;
  const better = verdict === 'promote' ? 'the candidate' : 'the champion';
  return `${better} is better: ${wins} to ${losses} pairs, E ${evidence.toPrecision(4)} ≥ ${1 / alpha}`;
}

/** The experiment without the rows that have been published. @param upTo - ordinal of the last outcome among them */
export function published(experiment: Experiment, upTo: number, decision: boolean): Experiment {
  const { unpublished } = experiment;
  const outcomes = unpublished.outcomes.filter(({ ordinal }) => ordinal > upTo);
  return { ...experiment, unpublished: { outcomes, decision: unpublished.decision && !decision } };
}

export function encodeExperiment(experiment: Experiment): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(experiment));
}

/** Reads what {@link encodeExperiment} wrote. `data_loss` when it is damaged, `failed_precondition` when a newer version wrote it. */
export function decodeExperiment(bytes: Uint8Array, key?: string): Experiment {
  const experiment = decodeStored(bytes, experimentSchema, FORMAT);
  if (key !== undefined && experiment.id !== key)
    throw new MillraceError('data_loss', `it is experiment "${experiment.id}", under another key`, { field: 'id' });
  return experiment;
}
