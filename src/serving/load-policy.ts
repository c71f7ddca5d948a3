import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCheckpoint } from '../checkpoint/load.ts';
import { systemClock } from '../clock/system.ts';
import { initCompute, type BackendName } from '../compute/backend.ts';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition, Json } from '../flow/define.ts';
import { flowOutline } from '../flow/plan.ts';
import { validateFlow } from '../flow/validate.ts';
import { actorOf, kindsOf, type AnyPolicyKind } from '../policy/registry.ts';
import { loadContext } from '../tasks/load.ts';
import { TrainedPolicy } from './trained-policy.ts';

/** Options of {@link loadPolicy}. */
export interface LoadPolicyOptions {
  /** Policy kinds of the flow's module, where it brings some (`policyKinds`). Default: the built-in ones. */
  policyKinds?: readonly AnyPolicyKind[];
  /** What `data:` of the job was: a file or folder from which the flow loads its context. Default: the flow's own. */
  data?: string;
  /** What `source:` of the job was. Default: nothing. */
  source?: Readonly<Record<string, Json>>;
  /** What `seed:` of the job was; given to the flow's `load`. Default 1. */
  seed?: number;
  /** Skips the flow's `load`: what `remember` is given. Default: what `load` gives. */
  context?: unknown;
  /** `native`, `wasm`, `tensorflow`, `tensorflow-gpu` or `cpu`. Default: the best that works here. */
  backend?: BackendName;
}

/** See `loadPolicy` of the package. */
export async function openPolicy<T, M>(
  checkpoint: string | URL,
  flow: FlowDefinition<T, M>,
  options: LoadPolicyOptions = {},
): Promise<TrainedPolicy<T, M>> {
  const { policyKinds, data, source = {}, seed = 1, backend } = options;
  const path = typeof checkpoint === 'string' ? resolve(checkpoint) : fileURLToPath(checkpoint);
  validateFlow(flow, 'loadPolicy');
  const kinds = kindsOf(policyKinds, 'loadPolicy');
  const loaded = await loadCheckpoint(path, { kinds });
  const kind = kinds.of(loaded.spec);
  const outline = flowOutline(flow);
  const misfit = kind.misfit(outline, loaded.spec);
  if (misfit !== undefined)
    throw new MillraceError(
      'failed_precondition',
      `${path} was trained in another flow than '${flow.name}': ${misfit.field} is ${misfit.first} in the flow and ${misfit.second} in the checkpoint`,
      { field: misfit.field },
    );
  await initCompute({ preferred: backend });
  const actor = await actorOf(kind, loaded.spec, outline);
  const from = { data: data === undefined ? undefined : resolve(data), options: source, seed, clock: systemClock };
  const context = 'context' in options ? options.context : await loadContext(flow, from);
  const policy = actor.policy();
  policy.load(loaded.parameters.values);
  return new TrainedPolicy({ checkpoint: loaded, flow, context, actor, policy });
}
