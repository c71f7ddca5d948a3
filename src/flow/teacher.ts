import type { AlgorithmConfig } from '../algo/config.ts';
import { methodOf } from '../algo/registry.ts';
import type { Speech } from '../base-model/chat/conversation.ts';
import { MillraceError } from '../errors.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { generated, type GeneratedDecision, type Reading } from '../policy/decision.ts';
import type { PolicyActor, SituationTable, Turn } from '../policy/kind.ts';
import type { FlowDefinition } from './define.ts';
import { inputOf } from './executor.ts';
import { describe, flowCrash, FlowFailure } from './failure.ts';
import type { PreparedPlan } from './plan.ts';
import { rulePlanner, type Planned, type Planner } from './planner.ts';

/** What a teacher needs. */
export interface TeacherOptions<M> {
  flow: FlowDefinition<any, M>;
  actor: PolicyActor;
  /** The group's table; siblings share it. */
  table: SituationTable;
}

/**
 * The flow's rule as a teacher: it decides, and its decisions are recorded as those of the policy are, in the situations that the policy would
 * have been in. What it says becomes tokens as the policy would write them. It is certain of everything: log-probabilities are 0.
 */
export function teacher<M>({ flow, actor, table }: TeacherOptions<M>): Planner {
  const rule = rulePlanner(flow);
  let before: Turn | undefined;
  let last: Omit<Turn, 'result' | 'error'> | undefined;
  return {
    async choose(prepared, random) {
      const planned = await rule.choose(prepared, random);
      if (planned === undefined) return undefined;
      const situation = table.add(prepared.plan, before);
      const stateFlags = table.stateFlags(situation);
      if (actor.read === undefined) return { ...planned, situation, stateFlags };
      const prompt = table.prompt?.(situation);
      const decision = inTokens(actor, speechOf(planned, prepared, flow), prompt ?? []);
      last = { situation, decision };
      return { decision, logProbability: 0, entropy: 0, situation, stateFlags, prompt };
    },
    onStepResult({ result, error }) {
      if (last !== undefined) before = { ...last, result, error };
    },
  };
}

/** What a rule says. One that chooses an open action calls its tool, with the arguments that the executor would fill in. */
function speechOf<M>({ decision }: Planned, { plan, memory }: PreparedPlan, flow: FlowDefinition<any, M>): Speech {
  if (decision.kind === 'generated') return { content: decision.content ?? '', calls: decision.calls };
  const { tool, items = [] } = plan.actions[decision.index]!;
  const input = inputOf(flow, { tool, items }, memory as M);
  if ('error' in input) throw flowCrash('rule', `chose the tool '${tool}', whose arguments cannot be filled in: ${input.error}`);
  return { content: '', calls: [{ tool, arguments: input.value }] };
}

/** FLOW_CRASH where the policy's tokens cannot say it. */
function inTokens(actor: PolicyActor, speech: Speech, prompt: readonly number[]): GeneratedDecision {
  if (actor.write === undefined)
    throw new FlowFailure(FailureClass.POLICY_UNAVAILABLE, 'policies of this kind cannot be taught: the kind has no actor.write');
  let tokens: readonly number[];
  let reading: Reading;
  try {
    tokens = actor.write(speech, prompt);
    reading = actor.read!(tokens);
  } catch (thrown) {
    const problem = thrown instanceof MillraceError ? thrown.message : describe(thrown);
    throw flowCrash('rule', `said what the policy cannot write: ${problem}`, thrown);
  }
  return generated({ tokens, logProbabilities: tokens.map(() => 0), finish: 'stop' }, reading);
}

/** `invalid_argument` when a job is to imitate a rule that its flow does not have. */
export function checkTeachable(
  { name, rule, writingRule }: Pick<FlowDefinition<any, any>, 'name' | 'rule' | 'writingRule'>,
  algorithm: AlgorithmConfig,
): void {
  if (methodOf(algorithm).imitates === undefined || rule !== undefined || writingRule !== undefined) return;
  throw new MillraceError(
    'invalid_argument',
    `algorithm.name: ${algorithm.name} imitates the rule of the flow, and flow '${name}' has none: give it one (\`rule\`), or choose another method`,
    { field: 'algorithm.name' },
  );
}
