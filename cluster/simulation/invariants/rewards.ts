import { FailureClass } from '../../../src/gen/millrace/v1/flow_pb.ts';
import { Verdict, type ScoredGroup, type TrajectoryGroup } from '../../../src/gen/millrace/v1/training_pb.ts';
import type { ServiceFacts } from '../service.ts';
import type { Check, Fail } from './check.ts';
import type { Facts } from './facts.ts';

/** An infrastructure failure is never a reward (promise 2): a trajectory or a reward that failed has no valid score. A score is that of its answer. */
export function rewardCheck(facts: Facts, service: ServiceFacts, fail: Fail): Check {
  return {
    published({ subject, sequence }) {
      if (!subject.startsWith('scored.')) return;
      const scored = facts.scoredMessages.get(sequence)!;
      const groups = facts.groups.get(scored.request!.id) ?? [];
      // One that was never run to its end is ended as failed.
      if (groups.length === 0 && scored.verdict === Verdict.FAILED) return;
      if (groups.length === 0) return fail('scored-was-run', `${scored.request!.id} is scored, and nobody ran it`);
      const problem = groups
        .map((group) => problemOf(scored, group, service))
        .find((found, i, all) => found === undefined || i === all.length - 1);
      // A request that ran twice has two groups, and the scores are those of one of them.
      if (problem !== undefined) fail(problem.invariant, problem.message);
    },
  };
}

type Problem = { invariant: string; message: string } | undefined;

function problemOf(scored: ScoredGroup, group: TrajectoryGroup, service: ServiceFacts): Problem {
  const invariant = 'no-reward-from-failure';
  if (scored.verdict === Verdict.FAILED && scored.scores.every(({ valid }) => !valid)) return undefined;
  for (const [i, { valid, reward, outcome }] of scored.scores.entries()) {
    const trajectory = group.trajectories[i];
    if (!trajectory || !valid) continue;
    if (trajectory.failure !== FailureClass.UNSPECIFIED)
      return {
        invariant,
        message: `${trajectory.id} failed (${FailureClass[trajectory.failure]}) and is scored with reward ${reward}`,
      };
    if (trajectory.answerJson !== '' && service.rewardNeverAnswered(trajectory.answerJson))
      return { invariant, message: `the reward of ${trajectory.id} failed, and it is scored with reward ${reward}` };
    const worth = service.worth?.(trajectory.answerJson);
    if (worth !== undefined && worth !== outcome)
      return {
        invariant: 'score-is-of-its-answer',
        message: `the answer of ${trajectory.id} is worth ${worth}, and it is scored with outcome ${outcome}`,
      };
  }
  return undefined;
}
