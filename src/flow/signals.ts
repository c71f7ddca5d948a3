import { create } from '@bufbuild/protobuf';
import { NO_TOOL } from '../explore/observe.ts';
import { StepSignalsSchema, type StepSignals } from '../gen/millrace/v1/flow_pb.ts';
import type { FlowShape } from './plan.ts';
import type { StepRecord } from './run.ts';

/** Which signals of its steps a job uses; what it does not use is neither computed nor sent. */
export interface SignalNeeds {
  /** Tool, error and verification of each step. */
  steps: boolean;
  /** The flow's potential before each step. */
  potential: boolean;
}

/** What followed from each step, as columns; only those that are needed are filled. */
export function stepSignals(steps: readonly StepRecord[], shape: FlowShape, needs: SignalNeeds): StepSignals {
  const signals = create(StepSignalsSchema);
  if (needs.steps) {
    signals.tool = steps.map(({ tool }) => shape.tools.get(tool)?.index ?? NO_TOOL);
    signals.error = steps.map(({ error, further }) => error || further.some((call) => call.error));
    signals.verified = steps.map(({ verified }) => verified);
  }
  // Zero was not asked for; it is never mixed with values, since a run has potentials for all of its steps or for none.
  if (needs.potential) signals.potential = steps.map(({ potential = 0 }) => potential);
  return signals;
}
