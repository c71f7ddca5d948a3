import { MillraceError } from '../../errors.ts';
import type { PolicyKind } from '../kind.ts';
import type { FlowOutline } from '../plan.ts';
import { initialParameters, parameterLayout } from './layout.ts';
import { plannerSettings, type PlannerSettings } from './settings.ts';
import type { PlannerSituations } from './situations.ts';
import type { PlannerSpec } from './spec.ts';
import { specDifference } from './spec-difference.ts';

let sides: typeof import('./sides.ts') | undefined;

function loaded(): NonNullable<typeof sides> {
  if (sides !== undefined) return sides;
  throw new MillraceError('internal', 'the planner is not loaded: await load() first');
}

/** A small network that reads the flow's memory as features and hashed texts, and scores every open action. */
export const plannerKind = {
  name: 'planner',
  settings: plannerSettings,
  specification({ tools, features }, { hidden, ...text }, { seed, value }): PlannerSpec {
    return {
      kind: 'planner',
      ...shapeOf({ tools, features }),
      text: { ...text, width: text.encoder === 'bag' ? text.embed : text.width },
      hidden,
      seed,
      ...(value && { value: true }),
    };
  },
  difference: specDifference,
  // Sizes are the specification's own.
  misfit: (flow, spec) => specDifference({ ...spec, ...shapeOf(flow) }, spec),
  layout: parameterLayout,
  initial: initialParameters,
  async load() {
    sides ??= await import('./sides.ts');
  },
  actor: (spec, flow) => new (loaded().PlannerActor)(spec, flow),
  learner(spec) {
    const { createPlanner, PlannerLearner } = loaded();
    return new PlannerLearner(createPlanner(spec));
  },
} as const satisfies PolicyKind<PlannerSpec, PlannerSettings, PlannerSituations>;

/** What of a specification the flow decides. */
function shapeOf({ tools, features }: FlowOutline): Pick<PlannerSpec, 'tools' | 'features'> {
  return {
    tools: tools.map(({ name, pointers }) => ({ name, arity: pointers })),
    features: { state: features.state.length, item: features.item.length, action: features.action.length },
  };
}
