import { MillraceError } from '../../src/errors.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import type { ShardResult } from '../../src/gen/millrace/v1/learner_pb.ts';
import { Verdict, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { reduceShards, type RoundSum } from '../../src/jobs/reduce.ts';
import type { ArrivedGroup } from '../../src/jobs/round.ts';
import { decodeExperience } from '../../src/policy/experience.ts';
import { floatsFromBytes } from '../../src/policy/float-bytes.ts';

/** A scored group as the trainer keeps it. */
export interface Group extends ArrivedGroup {
  scored: ScoredGroup;
}

const VERDICTS = { [Verdict.SIGNAL]: 'signal', [Verdict.NO_SIGNAL]: 'no_signal' } as const;

/** Reads what round assembly needs; the group must have its request. */
export function arrived(scored: ScoredGroup): Group {
  const { request, policyVersion, verdict, failure, scores } = scored;
  return {
    sequence: Number(request!.sequence),
    policyVersion,
    verdict: verdict === Verdict.SIGNAL || verdict === Verdict.NO_SIGNAL ? VERDICTS[verdict] : 'failed',
    failure: FailureClass[failure] ?? 'UNSPECIFIED',
    trajectories: scores.filter((score) => score.valid).length,
    scored,
  };
}

/** Why a group cannot be trained on though it has a signal: its experience is damaged, or is that of another group. */
export function experienceProblem({ verdict, experience, scores }: ScoredGroup): string | undefined {
  if (verdict !== Verdict.SIGNAL) return undefined;
  try {
    const { length } = decodeExperience(experience).trajectoryLengths;
    return length === scores.length ? undefined : `experience of ${length} trajectories, scores of ${scores.length}`;
  } catch (thrown) {
    return MillraceError.from(thrown).message;
  }
}

/** A group whose experience is lost or damaged: its request ends as failed, since no other answer to it will come. */
export function withoutExperience(scored: ScoredGroup, reason: string): ScoredGroup {
  return { ...scored, verdict: Verdict.FAILED, failure: FailureClass.WORKER_LOST, failureMessage: reason };
}

/** Adds up what the learners answered. */
export function reduceResults(results: readonly ShardResult[], shards: number): { sum: RoundSum; decisions: number } {
  const sums = results.map(({ shard, gradient, weight, statistics }) => ({
    shard,
    gradient: floatsFromBytes(gradient),
    weight,
    statistics,
  }));
  return { sum: reduceShards(sums, shards), decisions: results.reduce((total, result) => total + result.decisions, 0) };
}
