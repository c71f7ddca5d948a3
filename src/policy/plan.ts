/** What a policy sees of a flow: its outline once, and a plan before every decision. */
import type { Conversation, JsonSchema } from '../base-model/chat/conversation.ts';

/** An action that is open now. */
export interface OpenAction {
  tool: string;
  /** Indices into `Plan.items`; as many as the tool's `pointers`. Default none. */
  items?: number[];
  /** Named features of this action; names come from `FlowDefinition.features.action`. Missing ones are 0. */
  flags?: Record<string, number | boolean>;
}

/** What the planner sees: the memory as items, flags and open actions. */
export interface Plan {
  /** Text read as a whole, e.g. the question. */
  text?: string;
  flags?: Record<string, number | boolean>;
  items: {
    /** The item's own text, e.g. one request of the customer. */
    text?: string;
    /** Index of the whitespace-separated token of `Plan.text` this item stands at. */
    at?: number;
    flags?: Record<string, number | boolean>;
  }[];
  /** An empty list ends the flow. */
  actions: OpenAction[];
  /** What a policy that writes answers to, in flows that are conversations. Kinds that choose do not see it. */
  conversation?: Conversation;
}

/** What of a flow is the same in every plan. Tools and features keep the order in which the flow declares them. */
export interface FlowOutline {
  readonly tools: readonly {
    readonly name: string;
    /** How many items an action with this tool points to. */
    readonly pointers: 0 | 1 | 2;
    readonly description: string;
    /** JSON schema of what the tool takes, for policies that write its arguments; `{}` where it cannot be told. */
    readonly parameters: JsonSchema;
  }[];
  /** Names of the numeric features. */
  readonly features: {
    readonly state: readonly string[];
    readonly item: readonly string[];
    readonly action: readonly string[];
  };
}

/** Feature names with their places. */
export interface FeatureNames {
  readonly names: readonly string[];
  readonly index: ReadonlyMap<string, number>;
}

/** The places of feature names, in their order. */
export function featureNames(names: readonly string[] = []): FeatureNames {
  return { names, index: new Map(names.map((name, i) => [name, i])) };
}

/** Named flags as numbers in the declared order; missing ones are 0. */
export function flagsOf(flags: Record<string, number | boolean> | undefined, features: FeatureNames): number[] {
  const values = new Array<number>(features.names.length).fill(0);
  if (flags !== undefined) for (const name in flags) values[features.index.get(name)!] = Number(flags[name]);
  return values;
}
