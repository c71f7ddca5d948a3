import { performance } from 'node:perf_hooks';
import { systemClock } from '../../src/clock/system.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { runGroup, type PolicyRuntime } from '../../src/flow/group.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { requestFor } from '../../src/jobs/requests.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import { actorOf } from '../../src/policy/registry.ts';
import { REAL_PORTS } from '../../cluster/jobs/real-ports.ts';
import { loadJobRuntime } from '../../cluster/jobs/runtime.ts';
import { taskPlan } from '../../cluster/jobs/tasks.ts';

/** Runs groups of a job in this process, as a rollout worker does, and says how long each takes. */
export async function groupTimer(config: JobConfig): Promise<(members: number, sequence: number) => Promise<number>> {
  await initCompute();
  const runtime = await loadJobRuntime(config, REAL_PORTS);
  const { kind, spec, outline, flow } = runtime;
  const tasks = await taskPlan(runtime, await runtime.tasks());
  const context = await runtime.context();
  const actor = await actorOf(kind, spec, outline);
  const acting = actor.policy();
  acting.load(kind.initial(spec).values as Float32Array);
  const policy: PolicyRuntime = { source: fixedPolicy(acting), actor, inference: new MicroBatcher({ clock: systemClock }) };
  return async (members, sequence) => {
    const sized = { ...config, rollout: { ...config.rollout, groupSize: members } };
    const asked = { sequence, task: tasks.taskFor(sequence), policyVersion: 0, now: systemClock.now(), repeats: true };
    const request = requestFor({ job: 'bench', config: sized }, asked);
    const begun = performance.now();
    await runGroup({ request, flow, context, policy, node: 'bench', clock: systemClock });
    return performance.now() - begun;
  };
}
