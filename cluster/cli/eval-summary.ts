import { successRate, judgementText } from '../../src/jobs/success-rate.ts';
import type { ComparisonRecord, EvaluationRecord } from '../../src/jobs/record.ts';

/** The figures of an evaluation, as the last line of `millrace eval` gives them. */
export function evalSummary(
  result: EvaluationRecord,
  of: { tasks: number; checkpoint: string; code: string; against?: ({ checkpoint: string } & ComparisonRecord) | undefined },
) {
  const { success, ci95, judged, notJudged, failures, incomplete } = successRate(result);
  const { successes, failed, meanReward, meanSteps } = result;
  const { tasks, checkpoint, code, against } = of;
  const { metrics } = result;
  const judgement = judgementText(result);
  return {
    ...{ tasks, successes, failed, success: judged > 0 ? success : null, ci95, meanReward, meanSteps },
    ...{ judged, notJudged, failures, incomplete, judgement, metrics, checkpoint, code },
    ...(against && { against }),
  };
}
