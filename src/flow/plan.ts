import { featureNames, type FeatureNames, type FlowOutline, type OpenAction, type Plan } from '../policy/plan.ts';
import type { FlowDefinition } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';
import { parametersOf } from './parameters.ts';

/** A plan that was checked against its flow, ready for a planner. */
export interface PreparedPlan<M = unknown> {
  plan: Plan;
  memory: M;
  /** 0-based step of the flow. */
  step: number;
}

/** What of a flow is the same in every plan; made once per flow. */
export interface FlowShape {
  /** Tool names in the order of the policy's tools. */
  toolNames: readonly string[];
  tools: ReadonlyMap<string, { index: number; pointers: number }>;
  features: Readonly<Record<FeatureKind, FeatureNames>>;
}

export type FeatureKind = 'state' | 'item' | 'action';

/** The order of tools and features that the policy knows the flow by. */
export function flowShape(flow: Pick<FlowDefinition<any, any>, 'tools' | 'features'>): FlowShape {
  const toolNames = Object.keys(flow.tools);
  return {
    toolNames,
    tools: new Map(toolNames.map((name, index) => [name, { index, pointers: flow.tools[name]?.pointers ?? 0 }])),
    features: {
      state: featureNames(flow.features.state),
      item: featureNames(flow.features.item),
      action: featureNames(flow.features.action),
    },
  };
}

/** What of a flow its policy's specification follows from. */
export function flowOutline({ tools, features }: Pick<FlowDefinition<any, any>, 'tools' | 'features'>): FlowOutline {
  const { state = [], item = [], action = [] } = features;
  return {
    tools: Object.entries(tools).map(([name, { pointers = 0, description, input }]) => ({
      ...{ name, pointers, description },
      parameters: parametersOf(input),
    })),
    features: { state, item, action },
  };
}

/** Asks the flow what is open and checks the answer: what is wrong with it is a FLOW_CRASH that says where. */
export function planStep<M>(flow: FlowDefinition<any, M>, shape: FlowShape, memory: M, step: number): PreparedPlan<M> {
  const plan = inFlow('plan', () => flow.plan(memory));
  checkPlan(plan, shape);
  return { plan, memory, step };
}

function checkPlan(plan: Plan, shape: FlowShape): void {
  if (typeof plan !== 'object' || plan === null) throw flowCrash('plan', `must return an object, got ${String(plan)}`);
  if (!Array.isArray(plan.items)) throw flowCrash('plan.items', 'must be a list (empty when there is nothing to point to)');
  if (!Array.isArray(plan.actions)) throw flowCrash('plan.actions', 'must be a list (empty to end the flow)');
  checkText(plan.text, 'plan', -1);
  checkFlags(plan.flags, shape, 'state', -1);
  const items = plan.items.length;
  for (let i = 0; i < items; i++) {
    const item = plan.items[i];
    if (typeof item !== 'object' || item === null) throw flowCrash(`plan.items[${i}]`, `must be an object, got ${String(item)}`);
    checkText(item.text, 'plan.items', i);
    checkFlags(item.flags, shape, 'item', i);
    if (item.at === undefined) continue;
    if (!Number.isInteger(item.at) || item.at < 0)
      throw flowCrash(`plan.items[${i}].at`, `must be the index of a word of plan.text, got ${item.at}`);
    if (plan.text === undefined) throw flowCrash(`plan.items[${i}].at`, 'points into plan.text, but the plan has no text');
  }
  for (let i = 0; i < plan.actions.length; i++) checkAction(plan.actions[i], shape, items, i);
}

function checkAction(action: OpenAction | undefined, shape: FlowShape, items: number, i: number): void {
  if (typeof action !== 'object' || action === null)
    throw flowCrash(`plan.actions[${i}]`, `must be an object, got ${String(action)}`);
  const tool = shape.tools.get(action.tool);
  if (tool === undefined)
    throw flowCrash(`plan.actions[${i}].tool`, `there is no tool '${action.tool}'; the flow has ${shape.toolNames.join(', ')}`);
  const pointers = action.items?.length ?? 0;
  if (pointers !== tool.pointers)
    throw flowCrash(`plan.actions[${i}].items`, `'${action.tool}' takes ${tool.pointers} pointer(s), got ${pointers}`);
  for (let k = 0; k < pointers; k++) {
    const pointer = action.items![k]!;
    if (!Number.isInteger(pointer) || pointer < 0 || pointer >= items)
      throw flowCrash(`plan.actions[${i}].items`, `there is no item ${pointer}; the plan has ${items} item(s)`);
  }
  checkFlags(action.flags, shape, 'action', i);
}

/** Where a plan has the flags of each kind. */
const PLACES: Readonly<Record<FeatureKind, string>> = { state: 'plan', item: 'plan.items', action: 'plan.actions' };

// Paths are put together only when something is wrong: this runs for every action of every step.
function checkFlags(flags: Record<string, number | boolean> | undefined, shape: FlowShape, kind: FeatureKind, i: number): void {
  if (flags === undefined) return;
  const { index, names } = shape.features[kind];
  for (const name in flags) {
    const value = flags[name];
    const fits = typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(Math.fround(value)));
    if (fits && index.has(name)) continue;
    const where = `${PLACES[kind]}${i < 0 ? '' : `[${i}]`}.flags.${name}`;
    if (!index.has(name)) throw flowCrash(where, `features.${kind} does not declare it; declared: ${names.join(', ') || 'none'}`);
    throw flowCrash(where, `must be true, false or a finite 32-bit number, got ${String(value)}`);
  }
}

function checkText(text: unknown, list: string, i: number): void {
  if (text !== undefined && typeof text !== 'string')
    throw flowCrash(`${list}${i < 0 ? '' : `[${i}]`}.text`, `must be a text, got ${typeof text}`);
}
