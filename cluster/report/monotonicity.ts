import type { Evaluation } from '../../src/gen/millrace/v1/admin_pb.ts';
import { successRate } from '../../src/jobs/success-rate.ts';

/** How a success rate moved from evaluation to evaluation; drops are in percentage points. */
export interface Course {
  /** Evaluations that were lower than the one before. */
  drops: number;
  /** The furthest that one was below the best of those before it. */
  largestDrop: number;
}

/** Whether success on the validation tasks only grew. */
export interface Monotonicity {
  /** Of every version that was measured. */
  training: Course;
  /** Of the policy that is served: at any time the best version so far, so that another takes its place only when it is at least as good. */
  served: Course & { changes: number };
}

/**
 * How steadily success on the validation tasks grew.
 *
 * @param trained - evaluations of the trained policy on the validation tasks, by version; those that are incomplete do not count
 */
export function monotonicity(trained: readonly Evaluation[]): Monotonicity {
  const rates = trained.map((evaluation) => successRate(evaluation)).filter(({ incomplete }) => !incomplete);
  const training = rates.map(({ success }) => success);
  const served = training.map((_, i) => Math.max(...training.slice(0, i + 1)));
  const changes = served.filter((rate, i) => i > 0 && training[i] === rate).length;
  return { training: courseOf(training), served: { ...courseOf(served), changes } };
}

/** One line for people. */
export function monotonicityText({ training, served }: Monotonicity): string {
  const times = served.changes === 1 ? 'once' : `${served.changes} times`;
  const policy = `the served policy (best so far) changed ${times} and lost at most ${served.largestDrop.toFixed(1)} points`;
  return `${policy}; the one in training was up to ${training.largestDrop.toFixed(1)} points below its best`;
}

/** Of success rates in the order of their versions. */
export function courseOf(rates: readonly number[]): Course {
  const below = rates.map((rate, i) => 100 * (Math.max(...rates.slice(0, i + 1)) - rate));
  return { drops: rates.filter((rate, i) => i > 0 && rate < rates[i - 1]!).length, largestDrop: Math.max(0, ...below) };
}
