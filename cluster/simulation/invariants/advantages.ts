import { methodOf } from '../../../src/algo/registry.ts';
import type { JobConfig } from '../../../src/config/job.ts';
import { Purpose, Verdict } from '../../../src/gen/millrace/v1/training_pb.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/** Advantages travel as 32-bit floats. */
const TOLERANCE = 1e-5;

/** A flow that failed leaves no trace in what the others of its group learn: their advantages follow from valid rewards alone (promise 2). */
export function advantageCheck(facts: Facts, { algorithm }: Pick<JobConfig, 'algorithm'>, fail: Fail): Check {
  return {
    published({ subject, sequence }) {
      if (!subject.startsWith('scored.')) return;
      const { request, verdict, scores } = facts.scoredMessages.get(sequence)!;
      if (request!.purpose !== Purpose.TRAIN || verdict !== Verdict.SIGNAL) return;
      const rewards = {
        rewards: scores.map(({ reward }) => reward),
        valid: scores.map(({ valid }) => valid),
        successful: scores.map(({ success }) => success),
        explored: scores.map(({ explored }) => explored),
      };
      const expected = methodOf(algorithm).groupAdvantages?.(rewards, algorithm);
      const wrong = expected?.findIndex((advantage, i) => Math.abs(advantage - scores[i]!.advantage) > TOLERANCE) ?? -1;
      if (wrong >= 0)
        fail(
          'advantages-of-valid-rewards',
          `member ${wrong} of ${request!.id} has advantage ${scores[wrong]!.advantage}; the valid rewards of its group make ${expected![wrong]}`,
        );
    },
  };
}
