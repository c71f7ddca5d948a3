import type { JobConfig } from '../config/job.ts';
import type { Observation, ObservedAction, ObservedItem } from '../policy/observation.ts';
import type { PolicySpec } from '../policy/spec.ts';
import { tokenizeWithPositions } from '../policy/tokenizer.ts';
import type { FlowDefinition, OpenAction, Plan } from './define.ts';
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
/** Actions kept; the same ones are open step after step. */
const CACHED_ACTIONS = 10_000;
/** Larger than any index of an item in use, so that two of them make one key. */
const INDICES = 2 ** 26;

interface Tokenised {
  tokens: Int32Array;
  positions: Int32Array;
}

/** Turns plans of one flow into observations for one policy specification; remembers tokenised texts. */
export class PlanEncoder {
  readonly spec: PolicySpec;
  readonly #shape: FlowShape;
  readonly #texts = new Map<string, Tokenised>();
  /** Actions without flags by tool, then by the items they point to. */
  readonly #plain: Map<number, ObservedAction>[];
  #plainCount = 0;

  constructor(flow: Pick<FlowDefinition<any, any>, 'tools' | 'features'>, spec: PolicySpec) {
    this.spec = spec;
    this.#shape = flowShape(flow);
    this.#plain = this.#shape.toolNames.map(() => new Map<number, ObservedAction>());
  }

  /** The plan as an observation whose texts are in `table`. The plan must have been checked (plan.ts). */
  encode(plan: Plan, table: ExperienceTable): Observation {
    const { features } = this.#shape;
    const whole = plan.text === undefined ? undefined : this.#tokenise(plan.text);
    const items: ObservedItem[] = plan.items.map((item) => ({
      text: item.text === undefined ? -1 : table.text(this.#tokenise(item.text).tokens),
      at: item.at === undefined ? -1 : (whole?.positions[item.at] ?? -1),
      flags: flagsOf(item.flags, features.item),
    }));
    return {
      text: whole === undefined ? -1 : table.text(whole.tokens),
      flags: flagsOf(plan.flags, features.state),
      items,
      actions: plan.actions.map((action) => this.#action(action)),
    };
  }

  #action({ tool, items = [], flags }: OpenAction): ObservedAction {
    const { features, tools } = this.#shape;
    const { index } = tools.get(tool)!;
    const [first = 0, second = 0] = items;
    if (flags !== undefined || items.length > 2 || first >= INDICES || second >= INDICES)
      return { tool: index, args: items, flags: flagsOf(flags, features.action) };
    const key = first * INDICES + second;
    let action = this.#plain[index]!.get(key);
    if (action === undefined) {
      action = { tool: index, args: [...items], flags: flagsOf(undefined, features.action) };
      if (this.#plainCount++ < CACHED_ACTIONS) this.#plain[index]!.set(key, action);
    }
    return action;
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
