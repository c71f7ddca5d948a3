import { areEqual } from '../../../src/algo/stats/equal.ts';
import { Purpose, Verdict } from '../../../src/gen/millrace/v1/training_pb.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/** Members with a valid score that a training group needs: one alone says nothing of what was better. */
const LEAST = 2;

/** Only what cannot be compared has failed, and only what differs has a signal (promises 1 and 2). */
export function verdictCheck(facts: Facts, fail: Fail): Check {
  return {
    published({ subject, sequence }) {
      if (!subject.startsWith('scored.')) return;
      const { request, verdict, scores } = facts.scoredMessages.get(sequence)!;
      // One that was given up has no scores.
      if (request!.purpose !== Purpose.TRAIN || scores.length === 0) return;
      const outcomes = scores.filter(({ valid }) => valid).map(({ outcome }) => outcome);
      const wrong = (expected: string): void =>
        fail('verdict-follows-scores', `${request!.id} is ${Verdict[verdict]} with outcomes ${outcomes.join(', ')}: ${expected}`);
      if ((verdict === Verdict.FAILED) !== outcomes.length < LEAST) wrong(`fewer than ${LEAST} are a failure, and no more`);
      else if (verdict === Verdict.SIGNAL && areEqual(outcomes)) wrong('where all are equal there is no signal');
    },
  };
}
