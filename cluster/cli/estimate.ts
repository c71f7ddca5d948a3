import { systemClock } from '../../src/clock/system.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { loadClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import { runGroup } from '../../src/flow/group.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import { requestFor } from '../../src/jobs/requests.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import type { Parameters } from '../../src/policy/policy.ts';
import { actorOf } from '../../src/policy/registry.ts';
import { scoreGroup } from '../../src/reward/score.ts';
import { guardExit } from '../flow-watch/guard-exit.ts';
import { taskPlan } from '../jobs/tasks.ts';
import { dollarsOf } from '../../src/budget/money.ts';
import type { CliContext } from './context.ts';
import { LearnerProbe } from './estimate-learner.ts';
import { estimateJob, type Estimate, type Estimated, type ProbedTrajectory } from './estimate-figures.ts';
import { openEvalSource, type EvalSource } from './eval-source.ts';
import { byteSize, duration } from './format.ts';
import { fields } from './table.ts';
import { waitingRetryGate } from './waiting-retry-gate.ts';

/** Options of `millrace job estimate`. */
export interface EstimateFlags {
  groups: number;
  data?: string;
  set?: string[];
}

/** Runs a few groups of a job in this process, with the policy that it would start with, and says what the whole job will take. */
export async function estimate(file: string, { groups, ...flags }: EstimateFlags, context: CliContext): Promise<Estimate> {
  const source = await openEvalSource(file, { checkpoint: '', ...flags }, context);
  const restoreExit = guardExit();
  try {
    return await probe(source, groups, context);
  } finally {
    restoreExit();
    await source.close();
  }
}

async function probe({ config, runtime }: EvalSource, groups: number, context: CliContext): Promise<Estimate> {
  const { cwd, env, signal } = context;
  const loaded = await runtime.tasks();
  const plan = await taskPlan(runtime, loaded);
  const cluster = loadClusterConfig({ env, cwd }).config;
  await initCompute({ preferred: cluster.compute.backend });
  const actor = await actorOf(runtime.kind, runtime.spec, runtime.outline);
  const policy = actor.policy();
  const { values } = runtime.kind.initial(runtime.spec) as Parameters;
  policy.load(values);
  const learning = runtime.kind.learner(runtime.spec);
  learning.load(values);
  const learner = new LearnerProbe(learning, config, systemClock);
  const inference = new MicroBatcher({ clock: systemClock });
  const common = {
    flow: runtime.flow,
    context: loaded.context,
    node: 'estimate',
    clock: systemClock,
    retrier: waitingRetryGate(context),
    spending: { prices: cluster.prices },
  };
  const trajectories: ProbedTrajectory[] = [];
  let failed = 0;
  try {
    for (let sequence = 0; sequence < groups; sequence += 1) {
      signal.throwIfAborted();
      const task = plan.taskFor(sequence);
      const request = requestFor({ job: config.name, config }, { sequence, task, policyVersion: 0, now: systemClock.now() });
      const begun = systemClock.monotonic();
      const policyRuntime = { source: fixedPolicy(policy, 0), actor, inference };
      const group = await runGroup({ ...common, request, policy: policyRuntime, maxResamples: 0, signal });
      const scored = await scoreGroup(group, { ...common, algorithm: config.algorithm });
      const members = group.trajectories.length;
      const seconds = (systemClock.monotonic() - begun) / 1000 / members;
      const rowBytes = (scored.stepRows.length + scored.trajectoryRows.length) / members;
      const found = group.trajectories.flatMap(({ failure, tokensIn, tokensOut, microDollars }, i) => {
        if (failure !== FailureClass.UNSPECIFIED) return [];
        // Of the flow, and with what judging it cost.
        const cost = dollarsOf(Math.max(Number(microDollars), Number(scored.scores[i]?.microDollars ?? 0)));
        return [{ tokensIn: Number(tokensIn), tokensOut: Number(tokensOut), cost, seconds, rowBytes }];
      });
      failed += members - found.length;
      if (found.length === 0) continue;
      const learnerSeconds = (await learner.seconds(group)) / members;
      trajectories.push(...found.map((each) => ({ ...each, learnerSeconds })));
    }
  } finally {
    policy.dispose();
    learning.dispose();
  }
  if (trajectories.length === 0) {
    throw new MillraceError(
      'failed_precondition',
      `All ${failed} flows of the probe failed: nothing can be estimated. Run \`millrace train\` on it to see why.`,
    );
  }
  const { validation, hasRule } = plan;
  return estimateJob({ config, heldOut: validation.length, hasRule, parameters: values.length, trajectories, groups, failed });
}

/** An estimate for people. */
export function estimateText(estimate: Estimate): string {
  const { probe: probed } = estimate;
  const range = ({ low, expected, high }: Estimated, show: (value: number) => string): string =>
    `${show(expected)} (${show(low)} to ${show(high)})`;
  const whole = (value: number): string => String(Math.round(value));
  return fields([
    ['training trajectories', String(estimate.trainingTrajectories)],
    ['evaluation flows', String(estimate.evaluationFlows)],
    ['tokens read', range(estimate.tokensIn, whole)],
    ['tokens written', range(estimate.tokensOut, whole)],
    ['cost', estimate.costIsMetered ? range(estimate.cost, (value) => value.toFixed(2)) : 'the flow does not meter its cost'],
    ['rollout time', range(estimate.rolloutHours, (value) => duration(value * 3600))],
    ['learner time', range(estimate.learnerHours, (value) => duration(value * 3600))],
    ['disk, uncompressed', range(estimate.diskBytes, (value) => byteSize(Math.round(value)))],
    ['probe', `${probed.groups} groups, ${probed.trajectories} flows, ${probed.failed} failed`],
  ]);
}
