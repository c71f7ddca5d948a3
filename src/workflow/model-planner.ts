import { isCall, type Message, type ToolSpecification, type WrittenCall } from '../base-model/chat/conversation.ts';
import type { FlowDefinition } from '../flow/define.ts';
import { parametersOf } from '../flow/parameters.ts';
import type { PreparedPlan } from '../flow/plan.ts';
import type { Planned, Planner } from '../flow/planner.ts';
import type { CallOptions, Model, ModelCall, ModelMessage, ModelRequest, ModelResult } from '../model/model.ts';
import { generated } from '../policy/decision.ts';
import { planText } from '../policy/plan-text.ts';

/** Settings of what the model writes. */
export type PlannerSettings = Pick<ModelRequest, 'temperature' | 'maxTokens' | 'seed'>;

/** What the model planner is made of. */
export interface ModelPlannerOptions {
  flow: FlowDefinition<any, any>;
  model: Model;
  settings: PlannerSettings;
  call: CallOptions;
}

/**
 * Decides in a flow with a language model, whatever its provider. In a flow that is a conversation the model answers to it; in any other it is shown
 * each plan in words, with the open tools, and calls one of them.
 */
export function modelPlanner({ flow, model, settings, call }: ModelPlannerOptions): Planner {
  const specifications = Object.entries(flow.tools).map(([name, { description, input }]): ToolSpecification => ({
    name,
    description,
    parameters: parametersOf(input),
  }));
  /** Of a flow that is no conversation: what was shown, said and answered before. */
  const history: ModelMessage[] = [];
  let asked: ModelCall | undefined;
  const requestOf = ({ plan }: PreparedPlan): ModelRequest => {
    const { conversation } = plan;
    if (conversation !== undefined) {
      const { messages, tools, maxTokens = settings.maxTokens } = conversation;
      return { ...settings, messages: modelMessages(messages), tools, ...(maxTokens !== undefined && { maxTokens }) };
    }
    if (history.length === 0) history.push({ role: 'system', content: introduction(flow) });
    history.push({ role: 'user', content: planText(plan) });
    const open = new Set(plan.actions.map(({ tool }) => tool));
    const tools = specifications.filter(({ name }) => open.has(name));
    return { ...settings, messages: [...history], tools, toolChoice: 'required' };
  };
  return {
    async choose(prepared) {
      const result = await model.generate(requestOf(prepared), call);
      if (prepared.plan.conversation === undefined) {
        // One call at a time: what is not answered may not stand in a conversation.
        asked = result.calls[0];
        history.push({ role: 'assistant', content: result.text, ...(asked !== undefined && { calls: [asked] }) });
      }
      return plannedOf(result);
    },
    onStepResult({ result, error }) {
      const content = error ? `Error: ${result}` : result;
      if (asked !== undefined) history.push({ role: 'tool', id: asked.id, tool: asked.tool, content });
      asked = undefined;
    },
  };
}

function introduction({ name, description = '' }: Pick<FlowDefinition<any, any>, 'name' | 'description'>): string {
  return [`You work on a task of '${name}'.`, description, 'At each step you see what there is. Call exactly one of the tools.']
    .filter((part) => part !== '')
    .join(' ');
}

function plannedOf({ text, calls, finish, tokens = [], logProbabilities = [] }: ModelResult): Planned {
  const written = calls.map(writtenCall);
  const decision = generated(
    { tokens, logProbabilities, finish: finish === 'length' ? 'length' : 'stop' },
    {
      text: [text, ...calls.map((call) => `${call.tool} ${call.arguments}`)].filter((part) => part !== '').join('\n'),
      calls: written,
      content: text,
    },
  );
  const logProbability = logProbabilities.reduce((sum, log) => sum + log, 0);
  return { decision, logProbability, entropy: logProbabilities.length === 0 ? 0 : -logProbability / logProbabilities.length };
}

function writtenCall({ tool, arguments: text }: ModelCall): WrittenCall {
  try {
    return { tool, arguments: JSON.parse(text === '' ? '{}' : text) as unknown };
  } catch (thrown) {
    return { problem: `the arguments of '${tool}' are not JSON: ${(thrown as Error).message}` };
  }
}

/** A conversation of a flow as a provider wants it: calls and results are told apart by ids. */
function modelMessages(messages: readonly Message[]): ModelMessage[] {
  /** Calls that wait for their results. */
  let open: (ModelCall | undefined)[] = [];
  return messages.map((message, at): ModelMessage => {
    switch (message.role) {
      case 'system':
      case 'user':
        return { role: message.role, content: message.content };
      case 'assistant': {
        open = message.calls.map((call, i) =>
          isCall(call) ? { id: `call_${at}_${i}`, tool: call.tool, arguments: JSON.stringify(call.arguments ?? {}) } : undefined,
        );
        const calls = open.filter((call) => call !== undefined);
        return { role: 'assistant', content: message.content, ...(calls.length > 0 && { calls }) };
      }
      case 'tool': {
        const call = open.shift();
        // What could not be read as a call cannot be answered as one.
        if (call === undefined) return { role: 'user', content: message.content };
        return { role: 'tool', id: call.id, tool: call.tool, content: message.content };
      }
    }
  });
}
