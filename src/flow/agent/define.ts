import type { Conversation, Message, Speech, ToolSpecification } from '../../base-model/chat/conversation.ts';
import type { FlowDefinition, Outcome, Said, Tool, Verification } from '../define.ts';
import { parametersOf } from '../parameters.ts';
import { textOf } from '../record-text.ts';
import { checkAgent } from './check.ts';
import type { AgentDefinition, AgentMemory, AgentTool, AgentVerification } from './definition.ts';

const DEFAULT_MAX_TURNS = 10;

/**
 * Declares an agent. It is a flow: jobs, rewards, reports and the store take it as any other. Its policy must be of a kind that writes.
 * Throws `invalid_argument` with the field that is wrong.
 */
export function defineAgent<T, M = Record<string, never>>(agent: AgentDefinition<T, M>): FlowDefinition<T, AgentMemory<M>> {
  checkAgent(agent);
  const specifications = agent.tools.map(({ name, description, input }): ToolSpecification => ({
    name,
    description,
    parameters: parametersOf(input),
  }));
  const actions = agent.tools.map(({ name }) => ({ tool: name }));
  const conversationOf = ({ messages, written }: AgentMemory<M>): Conversation => ({
    ...{ messages, tools: specifications },
    ...(agent.tokenBudget !== undefined && { maxTokens: agent.tokenBudget - written }),
  });
  return {
    ...sharedParts(agent),
    tools: Object.fromEntries(agent.tools.map((tool) => [tool.name, flowTool(agent, tool)])),
    calls: 'any',
    features: {},
    remember: (task, context) => ({
      own: agent.memory === undefined ? ({} as M) : agent.memory(task, context),
      messages: firstMessages(agent, task, context),
      written: 0,
      answer: null,
    }),
    plan: (memory) => ({ items: [], actions, conversation: conversationOf(memory) }),
    verify: (memory, outcome) => verifyTurn(agent, memory, outcome),
    maxSteps: (task) => (typeof agent.maxTurns === 'function' ? agent.maxTurns(task) : (agent.maxTurns ?? DEFAULT_MAX_TURNS)),
    answer: (memory) => (agent.answer === undefined ? memory.answer : agent.answer(memory.own, memory.answer)),
    ...(agent.rule !== undefined && { writingRule: (memory) => speechOf(agent.rule!(memory.own, conversationOf(memory))) }),
  };
}

/** What the agent has as any flow has it. Functions stay methods of the agent. */
function sharedParts<T, M>(
  agent: AgentDefinition<T, M>,
): Pick<FlowDefinition<T, AgentMemory<M>>, 'name' | 'task' | 'load' | 'reward' | 'observe'> {
  const { name, description, task, files, components, maxRewardCost, toolTimeoutMs } = agent;
  const given = { description, files, components, maxRewardCost, toolTimeoutMs };
  return {
    ...{ name, task },
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    load: (source) => agent.load(source),
    reward: (...args) => agent.reward(...args),
    ...(agent.id && { id: (made: T) => agent.id!(made) }),
    ...(agent.splitKey && { splitKey: (made: T) => agent.splitKey!(made) }),
    ...(agent.type && { type: (made: T) => agent.type!(made) }),
    ...(agent.fromQuery && { fromQuery: (data: Parameters<NonNullable<typeof agent.fromQuery>>[0]) => agent.fromQuery!(data) }),
    ...(agent.potential && { potential: ({ own }: AgentMemory<M>) => agent.potential!(own) }),
    ...(agent.bucket && { bucket: ({ own }: AgentMemory<M>) => agent.bucket!(own) }),
    // The conversation is stored as text; what else of memory may be seen is for the agent to say.
    observe: ({ own }) => (agent.observe === undefined ? null : agent.observe(own)),
  };
}

function flowTool<M>(agent: AgentDefinition<any, M>, tool: AgentTool<M, any, any>): Tool<AgentMemory<M>, any, any> {
  const { name, description, input, maxCost, timeoutMs, onTimeout } = tool;
  return {
    ...{ description, input },
    ...(maxCost !== undefined && { maxCost }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(onTimeout !== undefined && { onTimeout }),
    // Nobody but the random baseline lets the flow fill them in.
    arguments: () => ({}),
    run: (args: unknown, { own }, signal) => {
      const run = (): unknown => tool.run(args, own, signal);
      return agent.execute === undefined ? run() : agent.execute({ tool: name, arguments: args }, own, run);
    },
  };
}

function firstMessages<T, M>(agent: AgentDefinition<T, M>, task: T, context: unknown): Message[] {
  const { instructions } = agent;
  const system = typeof instructions === 'string' ? instructions : instructions(task, context);
  const made = agent.messages(task, context);
  const messages: readonly Message[] = typeof made === 'string' ? [{ role: 'user', content: made }] : made;
  const wrong = messages.findIndex((message) => !isMessage(message));
  if (wrong >= 0)
    throw new TypeError(`messages[${wrong}] must be { role: 'system', 'user', 'assistant' or 'tool', content: a text }`);
  return [...(system === '' ? [] : [{ role: 'system' as const, content: system }]), ...messages];
}

function isMessage(message: Partial<Message> | null | undefined): boolean {
  const roles: unknown[] = ['system', 'user', 'assistant', 'tool'];
  return roles.includes(message?.role) && typeof message?.content === 'string';
}

function speechOf(said: string | Partial<Speech>): Speech {
  if (typeof said === 'string') return { content: said, calls: [] };
  const { content = '', calls = [] } = said;
  return { content, calls };
}

/** Adds a turn to the conversation, and asks the agent's verifier. */
function verifyTurn<M>(
  agent: AgentDefinition<any, M>,
  memory: AgentMemory<M>,
  outcome: Outcome,
): 'continue' | 'stop' | Verification {
  const said = outcome.said ?? chosen(outcome);
  const isAnswer = said.finish === 'stop' && said.outcomes.length === 0;
  memory.messages = [...memory.messages, ...messagesOf(said)];
  memory.written += said.tokens;
  memory.answer = isAnswer ? said.content : null;
  const { content, outcomes: calls, text } = said;
  const turn = { turn: outcome.step, content, calls, isAnswer, text };
  const verdict = agent.verify === undefined ? (isAnswer ? 'stop' : 'continue') : agent.verify(memory.own, turn);
  // What is none, the flow refuses.
  if (typeof verdict !== 'object' || verdict === null)
    return isAnswer && verdict === 'continue' ? 'stop' : goOn(agent, memory, verdict);
  const { message, ...rest } = verdict as AgentVerification;
  if (message !== undefined && typeof message !== 'string') throw new TypeError(`message must be a text, got ${typeof message}`);
  if (rest.next !== 'continue') return rest;
  if (message === undefined) return isAnswer ? { ...rest, next: 'stop' } : goOn(agent, memory, rest);
  memory.messages = [...memory.messages, { role: 'user', content: message }];
  memory.answer = null;
  return goOn(agent, memory, rest);
}

/** What the verifier said, unless there are no tokens left to go on with. */
function goOn<V extends string | Verification>(
  { tokenBudget = Infinity }: Pick<AgentDefinition<any, any>, 'tokenBudget'>,
  { written }: Pick<AgentMemory<unknown>, 'written'>,
  verdict: V,
): V | Verification {
  const given: Verification | string = verdict;
  const { next, ...rest } = typeof given === 'string' ? { next: given } : given;
  return next === 'continue' && written >= tokenBudget ? { ...rest, next: 'stop', reason: 'token_limit' } : verdict;
}

/** A tool that a baseline chose without a word. */
function chosen({ tool, arguments: args = {}, result, error }: Outcome): Said {
  const outcome = { tool, arguments: args, ...(error === undefined ? { result } : { error }) };
  return { content: '', calls: [{ tool, arguments: args }], outcomes: [outcome], tokens: 0, finish: 'stop' };
}

/** A turn as messages: what was said, and what came of it. */
function messagesOf({ content, calls, text, outcomes, finish }: Said): Message[] {
  const own = text === undefined ? {} : { text };
  if (finish === 'length')
    return [
      { role: 'assistant', content, calls: [], ...own },
      { role: 'user', content: resultText(outcomes[0]?.error ?? '') },
    ];
  const results = outcomes.map(({ result, error }, i): Message => {
    const call = calls[i];
    const tool = call !== undefined && 'tool' in call ? call.tool : '';
    return { role: 'tool', tool, content: error === undefined ? textOf(result) : resultText(error) };
  });
  return [{ role: 'assistant', content, calls, ...own }, ...results];
}

const resultText = (error: string): string => textOf(`Error: ${error}`);
