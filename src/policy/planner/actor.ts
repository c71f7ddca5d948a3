import type { ActingPolicy, PolicyActor } from '../kind.ts';
import type { FlowOutline } from '../plan.ts';
import { actingPolicy } from './acting.ts';
import { PlanEncoder } from './plan-encoder.ts';
import { createPlanner } from './planner.ts';
import { PlannerSituations } from './situations.ts';
import type { PlannerSpec } from './spec.ts';

/** Planners of one specification that decide in one flow. */
export class PlannerActor implements PolicyActor<PlannerSituations> {
  readonly #spec: PlannerSpec;
  readonly #encoder: PlanEncoder;

  constructor(spec: PlannerSpec, flow: FlowOutline) {
    this.#spec = spec;
    this.#encoder = new PlanEncoder(flow, spec);
  }

  situations(): PlannerSituations {
    return new PlannerSituations(this.#encoder);
  }

  policy(): ActingPolicy<PlannerSituations> {
    return actingPolicy(createPlanner(this.#spec));
  }
}
