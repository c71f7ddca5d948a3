import { create } from '@bufbuild/protobuf';
import { GroupDecisionsSchema, type GroupDecisions } from '../gen/millrace/v1/training_pb.ts';
import type { FlowShape } from './plan.ts';
import type { FlowRun } from './run.ts';

/** How the policy chose in the runs of a group that did not fail. A generated decision is no choice among so many actions. */
export function groupDecisions(runs: readonly FlowRun[], { toolNames, tools }: FlowShape): GroupDecisions {
  let choices = 0;
  let relativeEntropy = 0;
  const used = toolNames.map(() => 0);
  for (const run of runs) {
    if (run.failure !== undefined) continue;
    for (const { decision, openActions, entropy, tool, otherTools } of run.steps) {
      if (openActions < 2 || decision.kind === 'generated') continue;
      choices += 1;
      relativeEntropy += Math.min(1, Math.max(0, entropy / Math.log(openActions)));
      const index = tools.get(tool)?.index;
      if (otherTools && index !== undefined) used[index]! += 1;
    }
  }
  return create(GroupDecisionsSchema, { choices, relativeEntropy, tools: used });
}
