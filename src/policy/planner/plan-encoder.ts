import { featureNames, flagsOf, type FeatureNames, type FlowOutline, type OpenAction, type Plan } from '../plan.ts';
import type { Observation, ObservedAction, ObservedItem } from './observation.ts';
import type { PlannerSpec } from './spec.ts';
import { tokenizeWithPositions } from './tokenizer.ts';

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

/** Numbers the distinct texts of a group by their tokens. */
interface TextTable {
  text(tokens: Int32Array): number;
}

/** Turns plans of one flow into observations for one policy specification; remembers tokenised texts. */
export class PlanEncoder {
  readonly spec: PlannerSpec;
  readonly #tools: ReadonlyMap<string, number>;
  readonly #features: Readonly<Record<'state' | 'item' | 'action', FeatureNames>>;
  readonly #texts = new Map<string, Tokenised>();
  /** Actions without flags by tool, then by the items they point to. */
  readonly #plain: Map<number, ObservedAction>[];
  #plainCount = 0;

  constructor({ tools, features }: FlowOutline, spec: PlannerSpec) {
    this.spec = spec;
    this.#tools = new Map(tools.map(({ name }, index) => [name, index]));
    this.#features = {
      state: featureNames(features.state),
      item: featureNames(features.item),
      action: featureNames(features.action),
    };
    this.#plain = tools.map(() => new Map<number, ObservedAction>());
  }

  /** The plan as an observation whose texts are in `table`. The plan must have been checked (src/flow/plan.ts). */
  encode(plan: Plan, table: TextTable): Observation {
    const features = this.#features;
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
    const features = this.#features;
    const index = this.#tools.get(tool)!;
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
