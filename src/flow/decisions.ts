import { create } from '@bufbuild/protobuf';
import { GroupDecisionsSchema, type GroupDecisions } from '../gen/millrace/v1/training_pb.ts';
import type { FlowShape } from './plan.ts';
import type { FlowRun } from './run.ts';

/**
 * How the policy decided in the runs of a group that did not fail. A generated decision is a choice, too, among more texts than can be
 * counted: one nat or more of -log p counts as the largest entropy.
 */
export function groupDecisions(runs: readonly FlowRun[], { toolNames, tools }: FlowShape): GroupDecisions {
  let choices = 0;
  let relativeEntropy = 0;
  const used = toolNames.map(() => 0);
  for (const run of runs) {
    if (run.failure !== undefined) continue;
    for (const { decision, openActions, entropy, logProbability, tool, otherTools } of run.steps) {
      const writes = decision.kind === 'generated';
      if (openActions < 2 && !writes) continue;
      choices += 1;
      relativeEntropy += Math.min(1, Math.max(0, writes ? -logProbability : entropy / Math.log(openActions)));
      const index = tools.get(tool)?.index;
      if (otherTools && index !== undefined) used[index]! += 1;
    }
  }
  return create(GroupDecisionsSchema, { choices, relativeEntropy, tools: used });
}
