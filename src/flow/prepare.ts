import type { JobConfig } from '../config/job.ts';
import type { Observation, ObservedAction, ObservedItem } from '../policy/observation.ts';
import type { PolicySpec } from '../policy/spec.ts';
import { tokenizeWithPositions } from '../policy/tokenizer.ts';
import type { FlowDefinition, Plan } from './define.ts';
import type { ExperienceTable } from './experience.ts';
import { flowShape, type FeatureNames, type FlowShape } from './plan.ts';

/** The planner policy that fits a flow: its tools and features, and the job's sizes. */
export function policySpecFor(
  flow: Pick<FlowDefinition<any, any>, 'tools' | 'features'>,
  policy: JobConfig['policy'],
  seed: number,
): PolicySpec {
  const { hidden, ...text } = policy;
  return {
    kind: 'planner',
    tools: Object.entries(flow.tools).map(([name, tool]) => ({ name, arity: tool.pointers ?? 0 })),
    features: {
      state: flow.features.state?.length ?? 0,
      item: flow.features.item?.length ?? 0,
      action: flow.features.action?.length ?? 0,
    },
    text: { ...text, width: text.encoder === 'bag' ? text.embed : text.width },
    hidden,
    seed,
  };
}

/** Texts kept with their tokens; past this many the cache starts anew. */
const CACHED_TEXTS = 20_000;

interface Tokenised {
  tokens: Int32Array;
  positions: Int32Array;
}

/** Turns plans of one flow into observations for one policy specification; remembers tokenised texts. */
export class PlanEncoder {
  readonly spec: PolicySpec;
  readonly #shape: FlowShape;
  readonly #texts = new Map<string, Tokenised>();

  constructor(flow: Pick<FlowDefinition<any, any>, 'tools' | 'features'>, spec: PolicySpec) {
    this.spec = spec;
    this.#shape = flowShape(flow);
  }

  /** The plan as an observation whose texts are in `table`. The plan must have been checked (plan.ts). */
  encode(plan: Plan, table: ExperienceTable): Observation {
    const { features, tools } = this.#shape;
    const whole = plan.text === undefined ? undefined : this.#tokenise(plan.text);
    const items: ObservedItem[] = plan.items.map((item) => ({
      text: item.text === undefined ? -1 : table.text(this.#tokenise(item.text).tokens),
      at: item.at === undefined ? -1 : (whole?.positions[item.at] ?? -1),
      flags: flagsOf(item.flags, features.item),
    }));
    const actions: ObservedAction[] = plan.actions.map((action) => ({
      tool: tools.get(action.tool)!.index,
      args: action.items ?? [],
      flags: flagsOf(action.flags, features.action),
    }));
    return {
      text: whole === undefined ? -1 : table.text(whole.tokens),
      flags: flagsOf(plan.flags, features.state),
      items,
      actions,
    };
  }

  #tokenise(text: string): Tokenised {
    let known = this.#texts.get(text);
    if (known === undefined) {
      known = tokenizeWithPositions(text, this.spec.text);
      if (this.#texts.size >= CACHED_TEXTS) this.#texts.clear();
      this.#texts.set(text, known);
    }
    return known;
  }
}

/** Named flags as numbers in the declared order; missing ones are 0. */
export function flagsOf(flags: Record<string, number | boolean> | undefined, features: FeatureNames): number[] {
  const values = new Array<number>(features.names.length).fill(0);
  if (flags !== undefined) for (const name in flags) values[features.index.get(name)!] = Number(flags[name]);
  return values;
}
