import type { JobRuntime } from '../../cluster/jobs/runtime.ts';
import { taskPlan } from '../../cluster/jobs/tasks.ts';
import type { Records } from '../../examples/retail/world/world.ts';
import { MillraceError } from '../../src/errors.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { taskAt } from '../../src/jobs/task-order.ts';
import { plannerSpec } from './planner.ts';
import { jobOf, type Hello } from './protocol.ts';

/** What bench/peers/retail reads: all that is data of examples/retail and of the job, and nothing that is code. */
export interface ExportedEnvironment extends Pick<Hello, 'spec' | 'job' | 'tensors'> {
  /** Little-endian float32, as base64. */
  weights: string;
  /** Names, in the order of the network's inputs. */
  features: { state: readonly string[]; item: readonly string[] };
  world: Records;
  /** Tasks, as the flow's schema has them. */
  train: unknown[];
  heldOut: unknown[];
  /** For each training request of the job, in their sequence: the index of its task in `train`. */
  order: number[];
}

/** Gathers what the Python environment needs of a job on examples/retail; `unimplemented` for another flow's job. */
export async function exportEnvironment(runtime: JobRuntime): Promise<ExportedEnvironment> {
  const { config, flow } = runtime;
  const spec = plannerSpec(runtime);
  if (flow.name !== 'retail')
    throw new MillraceError('unimplemented', `the environment in Python knows the flow 'retail' alone, not '${flow.name}'`, {
      field: 'flow',
    });
  const loaded = await runtime.tasks();
  const plan = await taskPlan(runtime, loaded);
  const { users, products, orders } = loaded.context as Records;
  const { tensors, values } = initialParameters(spec);
  const read = ({ json }: { json: string }): unknown => JSON.parse(json);
  return {
    spec,
    job: jobOf(config),
    tensors,
    weights: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64'),
    features: { state: flow.features.state ?? [], item: flow.features.item ?? [] },
    world: { users, products, orders },
    train: plan.train.map(read),
    heldOut: plan.validation.map(read),
    order: Array.from({ length: config.rounds * config.rollout.groupsPerRound }, (_, sequence) =>
      taskAt(sequence, plan.train.length, config.seed),
    ),
  };
}
