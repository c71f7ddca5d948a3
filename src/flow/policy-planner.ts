import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { ExperienceTable } from './experience.ts';
import { FlowFailure } from './failure.ts';
import type { MicroBatcher } from './micro-batcher.ts';
import type { PlanEncoder } from './prepare.ts';
import { entropyOf, mostLikely, sampleAction, type Planner } from './planner.ts';
import type { PolicyLease } from './policies.ts';

/** What a policy planner needs. */
export interface PolicyPlannerOptions {
  encoder: PlanEncoder;
  /** The group's table; siblings share it. */
  table: ExperienceTable;
  batcher: MicroBatcher;
  /** The version this flow keeps to its end. */
  lease: PolicyLease;
  /**
   * 0 = greedy: the most likely action that this flow has not taken in the very same situation, since a policy that did not
   * get anywhere with an action would choose it again for ever. Log-probabilities are then those at temperature 1.
   */
  temperature: number;
}

/** Decides with the trained policy, together with whatever other flows of this process are waiting for a decision. */
export function policyPlanner(options: PolicyPlannerOptions): Planner {
  const { encoder, table, batcher, lease, temperature } = options;
  const greedy = temperature === 0;
  const tried = new Map<number, Set<number>>();
  return {
    async choose({ plan }, random) {
      const observation = table.observation(encoder.encode(plan, table));
      const logProbabilities = await batcher.logProbabilities({
        table,
        observation,
        lease,
        temperature: greedy ? 1 : temperature,
      });
      const action = greedy ? untried(observation, logProbabilities) : sampleAction(logProbabilities, random);
      const logProbability = logProbabilities[action];
      if (logProbability === undefined || !Number.isFinite(logProbability))
        throw new FlowFailure(
          FailureClass.POLICY_UNAVAILABLE,
          `policy version ${lease.version} gave the log-probability ${logProbability} for an open action`,
        );
      return {
        action,
        logProbability,
        entropy: entropyOf(logProbabilities),
        observation,
        stateFlags: table.observations[observation]!.flags,
      };
    },
  };

  function untried(observation: number, logProbabilities: Float32Array): number {
    let taken = tried.get(observation);
    if (taken === undefined) tried.set(observation, (taken = new Set()));
    const action = mostLikely(logProbabilities, taken);
    taken.add(action);
    return action;
  }
}
