/** Process that records groups of examples/retail: real flows of the untrained policy, scored and encoded as in a cluster. */
import { fileURLToPath } from 'node:url';
import { REAL_PORTS } from '../../cluster/jobs/real-ports.ts';
import { loadJobRuntime } from '../../cluster/jobs/runtime.ts';
import { taskPlan } from '../../cluster/jobs/tasks.ts';
import { systemClock } from '../../src/clock/system.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { runGroup } from '../../src/flow/group.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { requestFor } from '../../src/jobs/requests.ts';
import { actorOf } from '../../src/policy/registry.ts';
import { scoreGroup } from '../../src/reward/score.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { unpackRows } from '../../src/records/pack.ts';
import type { StepRow, TrajectoryRow } from '../../src/records/tables.ts';
import type { GroupTemplate } from './templates.ts';
import { serveOrders } from './worker.ts';

/** How many groups to record. */
export interface RecordOrder {
  groups: number;
}

const JOB = fileURLToPath(new URL('../train/retail-grpo.yaml', import.meta.url));

serveOrders<RecordOrder, GroupTemplate[], number>(async ({ groups }, emit) => {
  const { config } = loadJobConfig(JOB);
  await initCompute();
  const runtime = await loadJobRuntime(config, REAL_PORTS);
  const loaded = await runtime.tasks();
  const { context } = loaded;
  const { train } = await taskPlan(runtime, loaded);
  const { kind, spec, outline } = runtime;
  const actor = await actorOf(kind, spec, outline);
  const acting = actor.policy();
  acting.load(kind.initial(spec).values as Float32Array);
  const policy = {
    source: fixedPolicy(acting),
    actor,
    inference: new MicroBatcher({ clock: systemClock }),
  };
  const recorded: GroupTemplate[] = [];
  for (let sequence = 0; sequence < groups; sequence += 1) {
    const now = systemClock.now();
    const task = train[sequence % train.length]!;
    const request = requestFor({ job: 'recorded', config }, { sequence, task, policyVersion: 0, now, repeats: true });
    const { stateBytes } = config.rollout;
    const common = { request, flow: runtime.flow, context, policy, stateBytes };
    const ran = await runGroup({ ...common, node: 'rollout-1', clock: systemClock });
    const { algorithm, reward } = config;
    const scored = await scoreGroup(ran, {
      flow: runtime.flow,
      context,
      algorithm,
      reward,
      node: 'reward-1',
      clock: systemClock,
    });
    recorded.push(await templateOf(request.taskId, scored, ran.experience));
    emit(recorded.length);
  }
  return recorded;
});

/** The rows that a group's message holds, with times from its dispatch on and members for ids. */
async function templateOf(
  taskId: string,
  scored: { stepRows: Uint8Array; trajectoryRows: Uint8Array },
  experience: Uint8Array,
): Promise<GroupTemplate> {
  const store = new MemoryStore();
  await store.migrate();
  await store.insert('steps', unpackRows(scored.stepRows), '');
  await store.insert('trajectories', unpackRows(scored.trajectoryRows), '');
  const trajectories = [...(store.rows('trajectories') as unknown as TrajectoryRow[])].sort((a, b) => a.member - b.member);
  const dispatched = trajectories[0]?.dispatched_at ?? 0;
  const member = (row: StepRow): number => Number(row.trajectory_id.slice(row.trajectory_id.lastIndexOf(':') + 1));
  const steps = [...(store.rows('steps') as unknown as StepRow[])].sort((a, b) => member(a) - member(b) || a.step - b.step);
  return {
    taskId,
    trajectories: trajectories.map((row) => ({
      ...row,
      dispatched_at: 0,
      started_at: row.started_at - dispatched,
      ended_at: row.ended_at - dispatched,
      scored_at: row.scored_at - dispatched,
    })),
    steps: steps.map(({ state_flags: flags, ...row }) => ({
      ...row,
      ...(flags !== undefined && flags.length > 0 && { state_flags: Float32Array.from(flags) }),
      trajectory_id: String(member(row)),
      started_at: row.started_at - dispatched,
    })),
    experience,
  };
}
