import { actionKey, type GeneratedDecision } from '../policy/decision.ts';
import type { Turn } from '../policy/kind.ts';
import type { Random } from '../random/random.ts';
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
 */
export function writingPlanner(options: WritingPlannerOptions): Planner {
  const { table, temperature, explorer } = options;
  const greedy = temperature === 0 ? new GreedyMemory<string>() : undefined;
  let before: Turn | undefined;
  let last: Omit<Turn, 'result' | 'error'> | undefined;
  return {
    async choose(prepared, random) {
      const shown = greedy !== undefined || explorer?.watchesLoops ? table.add(prepared.plan) : 0;
      const open = explorer?.open(prepared, shown, random);
      const situation = table.add(open?.plan ?? prepared.plan, before);
      const refused = greedy?.refused(shown);
      const isRefused = (key: string): boolean => refused?.has(key) ?? explorer?.avoids(key, random) ?? false;
      const stuck = greedy?.isStuck(shown) ?? false;
      let decision = await write(options, situation, stuck ? 1 : temperature, random);
      let key = actionKey(decision);
      for (let redraws = 0; redraws < MAX_REDRAWS && isRefused(key); redraws++) {
        decision = await write(options, situation, temperature || 1, random);
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

function write(
  options: WritingPlannerOptions,
  situation: number,
  temperature: number,
  random: Random,
): Promise<GeneratedDecision> {
  const { table } = options;
  return generation(options, { table, situation, temperature, seed: random.integer(2 ** 32) });
}
