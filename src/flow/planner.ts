import { isCall, type Speech } from '../base-model/chat/conversation.ts';
import { choice, generated, type Decision, type GeneratedDecision } from '../policy/decision.ts';
import type { Random } from '../random/random.ts';
import type { FlowDefinition } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';
import type { OtherActions } from './other-actions.ts';
import type { PreparedPlan } from './plan.ts';
import { textOf } from './record-text.ts';

/** What a planner decided, and how sure it was. */
export interface Planned {
  decision: Decision;
  /** log-probability of the decision under what it was sampled from: of the action, or of all tokens together. */
  logProbability: number;
  /**
   * Nats. Of a choice, over the open actions. Of a generated decision, of one token: the mean of -log p over its tokens, which is an
   * estimate of it.
   */
  entropy: number;
  /** Index in the group's SituationTable; absent when nothing is learned from the decision. */
  situation?: number | undefined;
  /** State features as the policy saw them. */
  stateFlags?: readonly number[] | undefined;
  /** Tokens that the policy read; of generated decisions. */
  prompt?: readonly number[] | undefined;
  /** What else the policy might have chosen; of its choices. */
  others?: OtherActions | undefined;
}

/** Port: what decides in a flow. `undefined` ends the flow. Called only with at least one open action, or a conversation. */
export interface Planner {
  choose(plan: PreparedPlan, random: Random): Planned | undefined | Promise<Planned | undefined>;
  /** Hears what followed from each of its decisions, as it is recorded. */
  onStepResult?(step: StepResult): void;
}

/** What followed from a decision. */
export interface StepResult {
  /** The tool's answer, or what was wrong with the call. */
  result: string;
  error: boolean;
}

/** Picks uniformly among the open actions; ends a conversation without tools. */
export const randomPlanner: Planner = {
  choose({ plan }, random) {
    const open = plan.actions.length;
    if (open === 0) return undefined;
    return { decision: choice(random.integer(open)), logProbability: -Math.log(open), entropy: Math.log(open) };
  },
};

/** Ends every flow at once. */
export const nothingPlanner: Planner = {
  choose: () => undefined,
};

/** The flow's own hand-written planner; a flow without one is a FLOW_CRASH. */
export function rulePlanner<M>(flow: Pick<FlowDefinition<any, M>, 'rule' | 'writingRule' | 'name'>): Planner {
  return {
    choose({ plan, memory }) {
      const { rule, writingRule } = flow;
      const certain = { logProbability: 0, entropy: 0 };
      if (writingRule !== undefined) {
        const speech = inFlow('writingRule', () => writingRule.call(flow, memory as M, plan));
        return { decision: spoken(speech), ...certain };
      }
      if (rule === undefined) throw flowCrash('rule', `flow '${flow.name}' has no rule planner`);
      const action = inFlow('rule', () => rule.call(flow, memory as M, plan));
      if (!Number.isInteger(action) || action < 0 || action >= plan.actions.length)
        throw flowCrash('rule', `must return the index of one of the ${plan.actions.length} open actions, got ${action}`);
      return { decision: choice(action), ...certain };
    },
  };
}

/** What a rule says, as a decision that nobody generated: it has no tokens. */
function spoken(speech: Partial<Speech> | null): GeneratedDecision {
  const { content = '', calls = [] } = speech ?? {};
  const isSound = (call: unknown): boolean =>
    typeof call === 'object' && call !== null && 'tool' in call && typeof call.tool === 'string';
  if (speech === null || typeof content !== 'string' || !Array.isArray(calls) || !calls.every(isSound))
    throw flowCrash('writingRule', 'must return { content: a text, calls: [{ tool, arguments }] }');
  const text = [
    ...(content === '' ? [] : [content]),
    ...calls.filter(isCall).map((call) => `${call.tool} ${textOf(call.arguments)}`),
  ].join('\n');
  return generated({ tokens: [], logProbabilities: [], finish: 'stop' }, { text, calls, content });
}

/** Draws an action from log-probabilities. One number of `random` decides, whoever else was in the policy's batch. */
export function sampleAction(logProbabilities: ArrayLike<number>, random: Random): number {
  const n = logProbabilities.length;
  let total = 0;
  for (let i = 0; i < n; i++) total += Math.exp(logProbabilities[i]!);
  let left = random.uniform() * total;
  for (let i = 0; i < n; i++) {
    left -= Math.exp(logProbabilities[i]!);
    if (left < 0) return i;
  }
  // Rounding left a crumb of probability after the last action.
  return mostLikely(logProbabilities);
}

/** The first of the most likely actions that are not in `refused`; of all when every one is. */
export function mostLikely(logProbabilities: ArrayLike<number>, refused?: ReadonlySet<number>): number {
  const n = logProbabilities.length;
  let best = -1;
  for (let i = 0; i < n; i++) {
    if (refused !== undefined && refused.size < n && refused.has(i)) continue;
    if (best < 0 || logProbabilities[i]! > logProbabilities[best]!) best = i;
  }
  return best;
}

/** Entropy in nats of a distribution given by its log-probabilities. */
export function entropyOf(logProbabilities: ArrayLike<number>): number {
  let entropy = 0;
  for (let i = 0; i < logProbabilities.length; i++) {
    const l = logProbabilities[i]!;
    if (l > -Infinity) entropy -= Math.exp(l) * l;
  }
  return entropy;
}
