import { isCall, type Conversation, type Message, type ToolSpecification } from '../../base-model/chat/conversation.ts';
import { encodeExperience } from '../experience.ts';
import type { RecordedDecision, RecordedGeneration, SituationTable, Turn } from '../kind.ts';
import type { FlowOutline, Plan } from '../plan.ts';
import type { LoadedBase } from './base.ts';
import { encodeDecisions, LLAMA_CODEC } from './codec.ts';
import { planText } from '../plan-text.ts';

/** What of a base model decides what a policy reads. */
export interface ReadingBase extends Pick<LoadedBase, 'stopTokens'> {
  readonly tokenizer: Pick<LoadedBase['tokenizer'], 'encode'>;
  readonly format: Pick<LoadedBase['format'], 'prompt' | 'continuation'>;
}

/** What the members of a group read, as tokens. */
export class LlamaSituations implements SituationTable {
  readonly #base: ReadingBase;
  readonly #tools: readonly ToolSpecification[];
  readonly #prompts: (readonly number[])[] = [];
  readonly #index = new Map<string, number>();

  constructor(base: ReadingBase, { tools }: Pick<FlowOutline, 'tools'>) {
    this.#base = base;
    this.#tools = tools;
  }

  /**
   * What was read and written before is kept token by token; only what is new becomes tokens. A plan without a conversation becomes a message of the
   * user, and what a tool answered a message of the tool.
   */
  add(plan: Plan, before?: Turn): number {
    const { format, tokenizer, stopTokens } = this.#base;
    const tokens = (text: string): number[] => tokenizer.encode(text, { special: false });
    const conversation = plan.conversation ?? { messages: [{ role: 'user', content: planText(plan) }], tools: this.#tools };
    const prompt: number[] = [];
    if (before === undefined) prompt.push(...tokens(format.prompt(conversation)));
    else {
      const { tokens: written } = before.decision;
      const hasEnded = stopTokens.includes(written.at(-1)!);
      const after = format.continuation(withAnswer(conversation, before), hasEnded);
      prompt.push(...this.#prompts[before.situation]!, ...written, ...tokens(after));
    }
    const key = prompt.join();
    let index = this.#index.get(key);
    if (index === undefined) this.#index.set(key, (index = this.#prompts.push(prompt) - 1));
    return index;
  }

  stateFlags(): undefined {
    return undefined;
  }

  prompt(situation: number): readonly number[] {
    return this.#prompts[situation]!;
  }

  encode(members: readonly (readonly RecordedDecision[])[], temperature: number): Uint8Array {
    const decisions = members.flat() as RecordedGeneration[];
    return encodeExperience({
      ...LLAMA_CODEC,
      payload: encodeDecisions(decisions.map(({ situation, tokens }) => ({ prompt: this.#prompts[situation]!, tokens }))),
      temperature,
      trajectoryLengths: members.map(({ length }) => length),
      decisionLengths: decisions.map(({ tokens }) => tokens.length),
      logProbabilities: decisions.flatMap(({ logProbabilities }) => logProbabilities),
    });
  }
}

/** A conversation that holds what the policy said before. Where it does not, all of its messages are new, and what came of the decision precedes them. */
function withAnswer(conversation: Conversation, { decision, result }: Turn): Conversation {
  const { messages } = conversation;
  if (messages.some(({ role }) => role === 'assistant')) return conversation;
  const { text, calls, content = '' } = decision;
  const [call] = calls;
  const answer: Message =
    call === undefined
      ? { role: 'user', content: result }
      : { role: 'tool', tool: isCall(call) ? call.tool : 'unknown', content: result };
  // What stood before is among the tokens already; templates want somebody to have spoken first.
  return { ...conversation, messages: [messages[0]!, { role: 'assistant', text, calls, content }, answer, ...messages] };
}
