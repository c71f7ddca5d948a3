/**
 * What the planner sees before a decision: features of the flow's memory and the actions open to it.
 *
 * Flows describe it in words and flags (src/flow/define.ts, `Plan`); the rollout actor turns texts into token ids and
 * encodes the whole thing canonically, so that equal situations are equal bytes and are computed once.
 */
export interface Observation {
  /** Index of the text read as a whole (the question), -1 when there is none. */
  text: number;
  /** Global features; length = spec.features.state. */
  flags: readonly number[];
  items: readonly ObservedItem[];
  /** At least one. */
  actions: readonly ObservedAction[];
}

/** Something in memory that an action may point to. */
export interface ObservedItem {
  /** Index of this item's own text, -1 when it has none. */
  text: number;
  /** Token position in the observation's text that this item stands at, -1 when nowhere. */
  at: number;
  /** Length = spec.features.item. */
  flags: readonly number[];
}

/** A tool with pointers to items. */
export interface ObservedAction {
  /** Index into spec.tools. */
  tool: number;
  /** Item indices; length = the tool's arity (0 to 2). */
  args: readonly number[];
  /** Length = spec.features.action. */
  flags: readonly number[];
}
