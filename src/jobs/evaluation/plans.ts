import type { JobConfig } from '../../config/job.ts';
import { evaluationKey, EVALUATIONS, type EvaluationName } from './names.ts';
import type { JobRecord } from '../record.ts';
import type { EvaluationPlan } from '../requests.ts';
import { bestCheckpoint, bestMeasured } from '../kept-checkpoints.ts';

/** Flows of the random planner, whose rate is small: about so many in all, one to eight a task. */
const RANDOM_FLOWS = 750;

/** Flows a task of an evaluation that is not of the sampled policy. */
export function flowsPerTask(name: EvaluationName, tasks: number): number {
  return name === 'random' ? Math.min(8, Math.max(1, Math.round(RANDOM_FLOWS / Math.max(1, tasks)))) : 1;
}

/** The plan of an evaluation. */
export function evaluationPlan(name: EvaluationName, version: number, samples = 1): EvaluationPlan {
  const { agent, taskSet, sampled } = EVALUATIONS[name];
  return { key: evaluationKey(name, version), agent, policyVersion: version, samples, taskSet, sampled };
}

/** What {@link evaluationsDue} decides by. */
export interface EvaluationSchedule {
  /** Committed rounds = newest version. */
  version: number;
  rounds: number;
  evaluation: Pick<JobConfig['evaluation'], 'every' | 'baselines'>;
  /** Validation tasks. */
  tasks: number;
  /** Whether the flow has a rule planner. */
  hasRule: boolean;
  /** Keys that were started or finished already. */
  done: ReadonlySet<string>;
}

/**
 * The evaluations to start now on the validation tasks: baselines before training, then every `every` rounds and at the end; of no rounds at
 * all, what it starts with.
 */
export function evaluationsDue(schedule: EvaluationSchedule): EvaluationPlan[] {
  const { version, rounds, evaluation, hasRule, tasks, done } = schedule;
  const names: EvaluationName[] = [];
  if (version === 0 && evaluation.baselines) {
    names.push('do-nothing', 'random', 'untrained');
    if (hasRule) names.push('rule');
  }
  const regular = evaluation.every > 0 && version > 0 && version % evaluation.every === 0;
  if (regular || (version >= rounds && (version > 0 || rounds === 0))) names.push('trained');
  return names.map((name) => evaluationPlan(name, version, flowsPerTask(name, tasks))).filter((plan) => !done.has(plan.key));
}

/**
 * The version that is reported: the one that was best on the validation tasks, with a checkpoint where any has one. Once it was measured on the
 * test tasks it stays. Undefined while none was measured.
 */
function chosenVersion(record: Pick<JobRecord, 'config' | 'evaluations' | 'checkpoints' | 'forked'>): number | undefined {
  // Versions of before a fork are the other job's.
  const evaluations = record.evaluations.filter(({ policyVersion }) => policyVersion > (record.forked?.version ?? -1));
  const tested = evaluations.find(({ name }) => name === 'test-trained');
  return tested?.policyVersion ?? (bestCheckpoint({ ...record, evaluations }) ?? bestMeasured({ evaluations }))?.version;
}

/** What {@link finalEvaluations} decides by beside the record. */
export interface FinalEvaluationConditions {
  testTasks: number;
  hasRule: boolean;
}

/** Whether the last evaluations run version 0, whose weights must stay for it. */
export function needsFirstVersion({ config, forked }: Pick<JobRecord, 'config' | 'forked'>): boolean {
  const { split, evaluation } = config;
  return split.test > 0 && evaluation.test && evaluation.baselines && forked === undefined;
}

/**
 * The evaluations to start after all others have finished: the version that was best on the validation tasks on the test tasks, and
 * what it is compared with. This is the only look at them, and nothing follows from it but the report.
 */
export function finalEvaluations(
  record: Pick<JobRecord, 'config' | 'evaluations' | 'checkpoints' | 'forked'>,
  { testTasks, hasRule }: FinalEvaluationConditions,
): EvaluationPlan[] {
  const { evaluation, rounds } = record.config;
  const chosen = rounds > 0 ? chosenVersion(record) : undefined;
  if (chosen === undefined) return [];
  const plans: EvaluationPlan[] = [];
  const tested = testTasks > 0 && evaluation.test;
  if (tested) {
    if (needsFirstVersion(record)) plans.push(evaluationPlan('test-untrained', 0));
    if (hasRule && evaluation.baselines) plans.push(evaluationPlan('test-rule', 0));
    plans.push(evaluationPlan('test-trained', chosen));
  }
  if (evaluation.samples > 0) plans.push(evaluationPlan(tested ? 'test-sampled' : 'sampled', chosen, evaluation.samples));
  const done = new Set(record.evaluations.map(({ name, policyVersion }) => evaluationKey(name, policyVersion)));
  return plans.filter(({ key }) => !done.has(key));
}
