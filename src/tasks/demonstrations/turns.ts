import type { Message } from '../../base-model/chat/conversation.ts';
import type { Json, Tool } from '../../flow/define.ts';
import type { LineMessage, ShownCall, ShownTurn } from './line.ts';

type Tools = Readonly<Record<string, Tool<any, any, any>>>;
/** Reports what is wrong at a place of the line. */
type Wrong = (path: PropertyKey[], problem: string) => void;
type AssistantLine = Extract<LineMessage, { role: 'assistant' }>;
type LineCall = NonNullable<AssistantLine['tool_calls']>[number];

/** Takes a conversation apart into what comes before the assistant speaks, and its turns. Problems are reported, and not thrown. */
export function readTurns(
  messages: readonly LineMessage[],
  tools: Tools,
  wrong: Wrong,
): { before: Message[]; turns: ShownTurn[] } {
  const before: Message[] = [];
  const turns: ShownTurn[] = [];
  const report: Wrong = (path, problem) => wrong(['messages', ...path], problem);
  for (let at = 0; at < messages.length; at++) {
    const message = messages[at]!;
    const last = turns.at(-1);
    if (message.role === 'assistant') {
      if (last !== undefined && last.calls.length === 0 && last.next === undefined)
        report([at, 'role'], 'two messages of the assistant in a row: join them');
      const results = resultsAfter(messages, at);
      turns.push(turnOf(message, { at, results, tools, wrong: report }));
      at += results.length;
    } else if (message.role === 'tool') report([at, 'role'], 'follows no message of the assistant with tool_calls');
    else if (last === undefined)
      before.push({ role: message.role === 'developer' ? 'system' : message.role, content: textIn(message.content) });
    else if (message.role !== 'user') report([at, 'role'], 'messages of the system come first');
    else if (last.next !== undefined) report([at, 'role'], 'two messages of the user in a row: join them');
    else last.next = textIn(message.content);
  }
  const last = turns.at(-1);
  if (last === undefined) wrong(['messages'], 'has no message of the assistant: there is nothing to imitate');
  if (last?.next !== undefined) wrong(['messages'], 'ends with a message of the user: nothing answers it');
  return { before, turns };
}

type ToolLine = Extract<LineMessage, { role: 'tool' }>;

/** The messages of tools that follow a message. */
function resultsAfter(messages: readonly LineMessage[], at: number): ToolLine[] {
  const results: ToolLine[] = [];
  for (let next = messages[at + 1]; next?.role === 'tool'; next = messages[at + 1 + results.length]) results.push(next);
  return results;
}

function turnOf(
  message: AssistantLine,
  { at, results, tools, wrong }: { at: number; results: readonly ToolLine[]; tools: Tools; wrong: Wrong },
): ShownTurn {
  const { content, tool_calls: calls = [] } = message;
  if (textIn(content) === '' && calls.length === 0) wrong([at], 'says nothing: it has neither content nor tool_calls');
  if (results.length > calls.length) wrong([at + 1 + calls.length, 'role'], 'answers no call of the message before');
  const shown = calls.map((call, i): ShownCall => {
    const path = [at, 'tool_calls', i];
    const { name } = call.function;
    const written = argumentsOf(call, path, wrong);
    if (!Object.hasOwn(tools, name))
      wrong([...path, 'function', 'name'], `the agent has no such tool; its tools: ${Object.keys(tools).join(', ') || 'none'}`);
    else if (written !== undefined) checkArguments(tools[name]!, written, { path, wrong });
    const result = resultOf(call, i, results);
    if (result === undefined) wrong(path, 'no message of role tool answers it');
    return { tool: name, arguments: written ?? null, result: textIn(result?.content) };
  });
  return { content: textIn(content), calls: shown };
}

/** By the id of the call, else by its place. */
function resultOf(call: LineCall, place: number, results: readonly ToolLine[]): ToolLine | undefined {
  const named = call.id === undefined ? undefined : results.find(({ tool_call_id: id }) => id === call.id);
  if (named !== undefined) return named;
  const there = results[place];
  return there?.tool_call_id === undefined || call.id === undefined ? there : undefined;
}

/** Undefined, once it is reported, where they are not JSON. */
function argumentsOf({ function: { arguments: given } }: LineCall, path: PropertyKey[], wrong: Wrong): Json | undefined {
  if (typeof given !== 'string') return given as Json;
  try {
    return JSON.parse(given) as Json;
  } catch (error) {
    wrong([...path, 'function', 'arguments'], `not JSON: ${(error as Error).message}`);
    return undefined;
  }
}

function checkArguments(tool: Tool<any>, written: Json, { path, wrong }: { path: PropertyKey[]; wrong: Wrong }): void {
  const parsed = tool.input.safeParse(written);
  const issue = parsed.error?.issues[0];
  if (issue !== undefined)
    wrong([...path, 'function', 'arguments'], `the tool does not take them: ${[...issue.path, issue.message].join(': ')}`);
}

function textIn(content: LineMessage['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text).join('');
}
