import type { Conversation } from '../base-model/chat/conversation.ts';
import type { GenerateRequest } from '../policy/inference/inference.ts';
import { actionKey, type GeneratedDecision } from '../policy/decision.ts';
import type { Turn } from '../policy/kind.ts';
import { generation, type Writer } from './generation.ts';
import { GreedyMemory } from './greedy.ts';
import type { Planner } from './planner.ts';
import type { PolicyPlannerOptions } from './policy-planner.ts';

/** How often a decision is generated again because the flow has made it here before; the last one is then taken. */
const MAX_REDRAWS = 4;

/** What a planner of a kind that generates needs. */
export type WritingPlannerOptions = PolicyPlannerOptions & Writer;

/**
 * Decides with a policy that writes its calls. What it reads is the conversation of this flow: its decisions before, what followed from
 * each, and what the flow shows now.
 *
 * Actions are told apart by {@link actionKey}, and situations, for loops and for the greedy rule, by what the flow shows: with the
 * conversation no situation would ever come again. An action that must not be taken here again is generated again, at temperature 1 in
 * greedy flows, at most four times. Log-probabilities are always those of the policy.
 *
 * In a flow whose plans are conversations every situation is a new one: nothing is generated again there.
 */
export function writingPlanner(options: WritingPlannerOptions): Planner {
  const { table, temperature, explorer } = options;
  const greedy = temperature === 0 ? new GreedyMemory<string>() : undefined;
  let before: Turn | undefined;
  let last: Omit<Turn, 'result' | 'error'> | undefined;
  return {
    async choose(prepared, random) {
      const { conversation } = prepared.plan;
      const watched = greedy !== undefined || explorer?.watchesLoops;
      const shown = conversation !== undefined ? prepared.step : watched ? table.add(prepared.plan) : 0;
      const open = explorer?.open(prepared, shown, random);
      const situation = table.add(open?.plan ?? prepared.plan, before);
      const ask = (at: number): Promise<GeneratedDecision> =>
        generation(options, { ...{ table, situation, temperature: at }, ...asked(conversation), seed: random.integer(2 ** 32) });
      const refused = greedy?.refused(shown);
      const isRefused = (key: string): boolean => refused?.has(key) ?? explorer?.avoids(key, random) ?? false;
      const stuck = greedy?.isStuck(shown) ?? false;
      let decision = await ask(stuck ? 1 : temperature);
      let key = actionKey(decision);
      for (let redraws = 0; redraws < MAX_REDRAWS && isRefused(key); redraws++) {
        decision = await ask(temperature || 1);
        key = actionKey(decision);
      }
      greedy?.take(shown, key);
      explorer?.wrote(key);
      last = { situation, decision };
      const logProbability = decision.logProbabilities.reduce((sum, log) => sum + log, 0);
      return {
        decision,
        logProbability,
        entropy: -logProbability / decision.tokens.length,
        situation,
        stateFlags: table.stateFlags(situation),
        prompt: table.prompt?.(situation),
      };
    },
    onStepResult({ result, error }) {
      if (last !== undefined) before = { ...last, result, error };
      greedy?.onStepResult({ result, error });
    },
  };
}

/** What a conversation asks of a generation. */
function asked(conversation: Conversation | undefined): Pick<GenerateRequest, 'maxTokens'> {
  return conversation?.maxTokens === undefined ? {} : { maxTokens: conversation.maxTokens };
}
