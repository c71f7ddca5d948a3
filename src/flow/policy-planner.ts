import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { choice } from '../policy/decision.ts';
import type { Inference } from '../policy/inference/inference.ts';
import type { SituationTable } from '../policy/kind.ts';
import type { Explorer } from './explorer.ts';
import { FlowFailure } from './failure.ts';
import { GreedyChoices } from './greedy.ts';
import { otherActions } from './other-actions.ts';
import { entropyOf, sampleAction, type Planner } from './planner.ts';
import type { PolicyLease } from './policies.ts';

/** What a policy planner needs. */
export interface PolicyPlannerOptions {
  /** The group's table; siblings share it. */
  table: SituationTable;
  inference: Inference;
  /** The version this flow keeps to its end. */
  lease: PolicyLease;
  /** 0 = greedy, see {@link GreedyChoices}. Log-probabilities are then those at temperature 1. */
  temperature: number;
  /** Exploration of this flow; training flows only. Default: the policy is followed. */
  explorer?: Explorer | undefined;
}

/** Chooses among open actions with the trained policy, together with whatever other flows of this process are waiting for. */
export function policyPlanner(options: PolicyPlannerOptions): Planner {
  const { table, inference, lease, temperature, explorer } = options;
  const greedy = temperature === 0 ? new GreedyChoices() : undefined;
  return {
    async choose(prepared, random) {
      const whole = explorer?.watchesLoops ? table.add(prepared.plan) : 0;
      const open = explorer?.open(prepared, whole, random);
      const plan = open?.plan ?? prepared.plan;
      const situation = table.add(plan);
      const logProbabilities = await inference.decide({
        table,
        situation,
        lease,
        actions: plan.actions.length,
        temperature: greedy === undefined ? temperature : 1,
      });
      const proposal = open && explorer!.propose(open, logProbabilities);
      // What is recorded is the probability of what was sampled from: corrections divide by it.
      const sampled = proposal ?? logProbabilities;
      const chosen = greedy?.choose(situation, logProbabilities, random) ?? sampleAction(sampled, random);
      const logProbability = sampled[chosen];
      if (logProbability === undefined || !Number.isFinite(logProbability))
        throw new FlowFailure(
          FailureClass.POLICY_UNAVAILABLE,
          `policy version ${lease.version} gave the log-probability ${logProbability} for an open action`,
        );
      return {
        decision: choice(open ? explorer!.chose(chosen, open) : chosen),
        logProbability,
        entropy: entropyOf(logProbabilities),
        situation,
        stateFlags: table.stateFlags(situation),
        others: otherActions(plan.actions, sampled, chosen),
      };
    },
    onStepResult: (step) => greedy?.onStepResult(step),
  };
}
