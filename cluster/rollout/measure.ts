import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import { Purpose, type TrajectoryGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import type { MetricsRegistry } from '../../src/telemetry/metrics.ts';

/** Counts a group that was run and published. */
export function measureGroup(metrics: MetricsRegistry, { request, trajectories }: TrajectoryGroup, seconds: number): void {
  const { job, purpose } = request!;
  metrics.count('groups_rolled_out_total', { job, purpose: purpose === Purpose.EVALUATE ? 'evaluate' : 'train' });
  metrics.observe('rollout_seconds', { job }, seconds);
  for (const { failure, steps, toolErrors, resamples } of trajectories) {
    const outcome = failure === FailureClass.UNSPECIFIED ? 'ok' : FailureClass[failure].toLowerCase();
    metrics.count('trajectories_total', { job, outcome });
    metrics.count('steps_total', { job }, steps);
    metrics.count('tool_errors_total', { job }, toolErrors);
    metrics.count('resamples_total', { job }, resamples);
  }
}
