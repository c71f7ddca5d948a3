import { MillraceError } from '../../errors.ts';
import { Agent } from '../../gen/millrace/v1/training_pb.ts';

/** One kind of measurement. */
interface EvaluationKind {
  agent: Agent;
  /** Which held-out tasks. */
  taskSet: 'validation' | 'test';
  /** Several flows a task at the sampling temperature, not one that takes the most likely action. */
  sampled: boolean;
  /** The same planner's name in the tables of the report. */
  planner: 'do-nothing' | 'random' | 'untrained' | 'rule' | 'trained';
}

const kind = (agent: Agent, planner: EvaluationKind['planner'], more: Partial<EvaluationKind> = {}): EvaluationKind => ({
  ...{ agent, planner, taskSet: 'validation', sampled: false },
  ...more,
});

/** What is measured, by the name that rows and messages carry: the planner in training, and what it is compared with. */
export const EVALUATIONS = {
  'do-nothing': kind(Agent.NOTHING, 'do-nothing'),
  random: kind(Agent.RANDOM, 'random'),
  untrained: kind(Agent.POLICY, 'untrained'),
  rule: kind(Agent.RULE, 'rule'),
  trained: kind(Agent.POLICY, 'trained'),
  sampled: kind(Agent.POLICY, 'trained', { sampled: true }),
  'test-untrained': kind(Agent.POLICY, 'untrained', { taskSet: 'test' }),
  'test-rule': kind(Agent.RULE, 'rule', { taskSet: 'test' }),
  'test-trained': kind(Agent.POLICY, 'trained', { taskSet: 'test' }),
  'test-sampled': kind(Agent.POLICY, 'trained', { taskSet: 'test', sampled: true }),
} as const satisfies Readonly<Record<string, EvaluationKind>>;

/** A key of {@link EVALUATIONS}. */
export type EvaluationName = keyof typeof EVALUATIONS;

const NAMES = Object.keys(EVALUATIONS) as EvaluationName[];

/** What an evaluation measures; of a name that only a newer version knows, undefined. */
export function evaluationKind(name: string): EvaluationKind | undefined {
  return NAMES.includes(name as EvaluationName) ? EVALUATIONS[name as EvaluationName] : undefined;
}

/** `trained@40`: what requests carry in `evaluation`. */
export function evaluationKey(name: string, version: number): string {
  return `${name}@${version}`;
}

/** Reads what {@link evaluationKey} wrote; `invalid_argument` when it is something else. */
export function parseEvaluationKey(key: string): { name: EvaluationName; version: number } {
  const match = /^([a-z-]+)@(\d+)$/.exec(key);
  const name = NAMES.find((candidate) => candidate === match?.[1]);
  if (name === undefined || match?.[2] === undefined) {
    throw new MillraceError('invalid_argument', `"${key}" is no evaluation; expected <name>@<version>, e.g. trained@40`, {
      field: 'evaluation',
    });
  }
  return { name, version: Number(match[2]) };
}
