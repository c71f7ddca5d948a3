import type { FlowDefinition } from '../flow/define.ts';
import type { LoadPolicyOptions } from './load-policy.ts';
import type { TrainedPolicy } from './trained-policy.ts';

/**
 * Loads a checkpoint for use, without a cluster: `policy.start(task)` plays a flow whose tools the application runs, `policy.solve(task)`
 * plays it with the flow's own.
 *
 * @param checkpoint - folder of the checkpoint: what a job's report names, `.millrace/checkpoints/JOB/vNNNNNN`
 * @param flow - the flow that it was trained in
 * @throws MillraceError `not_found` when there is no checkpoint, `data_loss` when it is damaged, `failed_precondition` when it was trained in
 * another flow or no compute backend works, `invalid_argument` when flow or options are wrong
 */
export async function loadPolicy<T, M>(
  checkpoint: string | URL,
  flow: FlowDefinition<T, M>,
  options: LoadPolicyOptions = {},
): Promise<TrainedPolicy<T, M>> {
  // Only whoever uses a policy pays for the tensor library: every flow imports this module.
  const { openPolicy } = await import('./load-policy.ts');
  return openPolicy(checkpoint, flow, options);
}
