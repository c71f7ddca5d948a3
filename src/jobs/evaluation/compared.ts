import { comparePaired } from '../../algo/stats/comparison.ts';
import { evaluationKey, evaluationKind } from './names.ts';
import { bestMeasured } from '../kept-checkpoints.ts';
import { decodeOutcomes } from './outcomes.ts';
import type { ComparisonRecord, EvaluationRecord, JobRecord } from '../record.ts';

/** Evidence in JSON is finite. */
const MOST_EVIDENCE = 1e300;

/**
 * The evaluations of a job with one more, each of the trained policy compared with that of the untrained one on the same tasks, as
 * soon as both are there. Outcomes by task are kept where they may still be needed: of baselines, of the best version, and on the test tasks.
 */
export function withEvaluation(record: JobRecord, result: EvaluationRecord): EvaluationRecord[] {
  const same = (other: EvaluationRecord): boolean => other.name === result.name && other.policyVersion === result.policyVersion;
  const before = record.evaluations.find(same);
  // Measured again with the same result: it is no other candidate than it was.
  const isKnown = before?.comparison !== undefined && before.successes === result.successes && before.tasks === result.tasks;
  const all = [
    ...record.evaluations.filter((other) => !same(other)),
    isKnown ? { ...result, comparison: before.comparison } : result,
  ];
  const compared = all.map((evaluation) => (evaluation.comparison ? evaluation : withComparison(evaluation, all)));
  const best = bestMeasured({ evaluations: compared })?.version;
  return compared.map((evaluation) => {
    const { outcomes, ...rest } = evaluation;
    const needed = evaluation.name !== 'trained' || evaluation.policyVersion === best;
    return outcomes === undefined || needed ? evaluation : rest;
  });
}

function withComparison(evaluation: EvaluationRecord, all: readonly EvaluationRecord[]): EvaluationRecord {
  const kind = evaluationKind(evaluation.name);
  if (kind?.planner !== 'trained' || kind.sampled) return evaluation;
  const name = kind.taskSet === 'test' ? 'test-untrained' : 'untrained';
  const baseline = all.find((other) => other.name === name);
  // The best of several versions on the same tasks is partly the luckiest. The test tasks see one.
  const candidates = kind.taskSet === 'test' ? 1 : all.filter(({ name: other }) => other === evaluation.name).length;
  const comparison = baseline && compareOutcomes(evaluation, baseline, candidates);
  return comparison ? { ...evaluation, comparison } : evaluation;
}

/**
 * The paired test of two evaluations of the same tasks; undefined where one of them has no outcomes by task.
 *
 * @param candidates - as many were compared on these tasks
 */
export function compareOutcomes(
  candidate: EvaluationRecord,
  baseline: EvaluationRecord,
  candidates = 1,
): ComparisonRecord | undefined {
  const { tasks } = candidate;
  if (candidate.outcomes === undefined || baseline.outcomes === undefined || baseline.tasks !== tasks) return undefined;
  const [ours, theirs] = [decodeOutcomes(candidate.outcomes, tasks), decodeOutcomes(baseline.outcomes, tasks)];
  if (ours === undefined || theirs === undefined) return undefined;
  const both = ours.flatMap((outcome, i) => {
    const other = theirs[i];
    return outcome === undefined || other === undefined ? [] : [[outcome, other] as const];
  });
  const { ci95, evidence, ...rest } = comparePaired(
    both.map(([outcome]) => outcome),
    both.map(([, other]) => other),
    { candidates },
  );
  return {
    ...rest,
    baseline: evaluationKey(baseline.name, baseline.policyVersion),
    ...{ low: ci95[0], high: ci95[1], evidence: Math.min(evidence, MOST_EVIDENCE) },
  };
}
