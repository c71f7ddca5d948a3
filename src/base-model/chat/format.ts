import { MillraceError } from '../../errors.ts';
import type { Conversation, Message, Speech, ToolSpecification } from './conversation.ts';
import { spacedJson } from './call-json.ts';
import { bare, tagged, type ToolSyntax } from './syntax.ts';
import type { ChatMessage, ChatTemplate } from './template.ts';

/** How one model converses: what it is shown, and what it says. All of it are pure functions. */
export interface ChatFormat {
  /** How it writes calls. */
  readonly syntax: ToolSyntax;
  /** The tools are shown by the model's own template; else in a section of the system message. */
  readonly ownTools: boolean;
  /** The whole conversation, until where the next message begins. */
  prompt(conversation: Conversation): string;
  /**
   * What follows the last message of the assistant, until where the next one begins: `prompt` of the conversation ends with it.
   * @param ended - the tokens of that message end with a stop token; it is then not repeated
   */
  continuation(conversation: Conversation, ended: boolean): string;
  /** Text of the stop token after messages of the assistant; undefined where the template puts none there. */
  readonly end: string | undefined;
  /** What a message says. */
  read(text: string): Speech;
  /** A message that says this, as the model would write it. */
  write(speech: Speech): string;
}

/** What a model's tokenizer brings. */
export interface ChatFormatOptions {
  /** Texts of the tokens after which a message is over. Default: none are known. */
  stops?: readonly string[];
  /** Texts of special tokens. Where they stand in a message they are taken apart, so that no message can end itself or begin another. Default: those of `stops`. */
  specials?: readonly string[];
}

/** Stands for a message of the assistant. */
const PLACE = 'MILLRACE-PLACE-OF-THE-MESSAGE';
const PROBE: ToolSpecification = { name: 'probe_tool', description: 'Probes.', parameters: { type: 'object', properties: {} } };
const SYNTAXES: readonly (readonly [ToolSyntax, RegExp])[] = [
  [tagged, /<tool_call>\s*\{"name": "probe_tool", "arguments": \{"probe_argument": 1\}\}\s*<\/tool_call>/],
  [bare, /\{"name": "probe_tool", "parameters": \{"probe_argument": 1\}\}/],
];

/**
 * The format of a model. Which one it is follows from its template: it is given a tool and a call. A template that does not show them in a form
 * that is known (Qwen and Hermes, Llama 3) is shown the tools in the system message, and their results in messages of the user.
 */
export function chatFormat(template: ChatTemplate, { stops = [], specials = stops }: ChatFormatOptions = {}): ChatFormat {
  const own = ownSyntax(template);
  const syntax = own ?? tagged;
  const neutral = neutraliser([...new Set([...stops, ...specials])]);
  const render = ({ messages, tools }: Conversation): string => {
    const plain = messages.map((message) => ({ ...message, content: neutral(contentIn(message, syntax)) }));
    if (own === undefined)
      return template(
        withTools(
          plain,
          tools.map((tool) => functionOf(tool, neutral)),
        ),
      );
    return template(plain.map(chatMessage), tools.length === 0 ? {} : { tools: tools.map((tool) => functionOf(tool, neutral)) });
  };
  const endOf = (): string | undefined => {
    const messages: Message[] = [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: PLACE, calls: [] },
      { role: 'user', content: 'x' },
    ];
    const text = render({ messages, tools: [] });
    const at = text.lastIndexOf(PLACE);
    return at < 0 ? undefined : stops.find((each) => text.startsWith(each, at + PLACE.length));
  };
  return {
    syntax,
    ownTools: own !== undefined,
    end: endOf(),
    prompt: render,
    continuation(conversation, ended) {
      const { messages } = conversation;
      const last = messages.findLastIndex(({ role }) => role === 'assistant');
      if (last < 0) throw new MillraceError('invalid_argument', 'the conversation has no message of the assistant to go on from');
      const marked = messages.with(last, { role: 'assistant', content: PLACE, calls: [] });
      const text = render({ ...conversation, messages: marked });
      const at = text.lastIndexOf(PLACE);
      if (at < 0) throw new MillraceError('failed_precondition', 'the chat template does not show messages of the assistant');
      const rest = text.slice(at + PLACE.length);
      const stop = ended ? stops.find((each) => rest.startsWith(each)) : undefined;
      return stop === undefined ? rest : rest.slice(stop.length);
    },
    read: (text) => syntax.read(text),
    write: (speech) => syntax.write(speech),
  };
}

/** How a template shows calls, if it shows tools at all. */
function ownSyntax(template: ChatTemplate): ToolSyntax | undefined {
  const user = { role: 'user', content: 'x' };
  const call = { type: 'function', function: { name: PROBE.name, arguments: { probe_argument: 1 } } };
  const conversation = [
    ...[user, { role: 'assistant', content: '', tool_calls: [call] }],
    ...[{ role: 'tool', name: PROBE.name, content: 'probe_result' }],
  ];
  const tools = [functionOf(PROBE, (text) => text)];
  try {
    if (!template([user], { tools }).includes(PROBE.name)) return undefined;
    const shown = template(conversation, { tools });
    return shown.includes('probe_result') ? SYNTAXES.find(([, form]) => form.test(shown))?.[0] : undefined;
  } catch {
    return undefined;
  }
}

/** A tool in the form that templates take. */
function functionOf({ name, description, parameters }: ToolSpecification, neutral: (text: string) => string): unknown {
  return { type: 'function', function: { name, description: neutral(description), parameters: neutralIn(parameters, neutral) } };
}

function neutralIn(value: unknown, neutral: (text: string) => string): unknown {
  if (typeof value === 'string') return neutral(value);
  if (Array.isArray(value)) return value.map((part) => neutralIn(part, neutral));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [neutral(name), neutralIn(part, neutral)]));
}

/** What a message says; the assistant's as it was written, or as the model would have written it. */
function contentIn(message: Message, syntax: ToolSyntax): string {
  return message.role === 'assistant' ? (message.text ?? syntax.write(message)) : message.content;
}

function chatMessage(message: Message): ChatMessage {
  const { role, content } = message;
  return role === 'tool' ? { role, name: message.tool, content } : { role, content };
}

/** For templates without tool support: tools are described in the system message, and results are user messages. */
function withTools(messages: readonly Message[], tools: readonly unknown[]): ChatMessage[] {
  const made: ChatMessage[] = [];
  for (const { role, content } of messages) {
    const last = made.at(-1);
    const text =
      role === 'tool'
        ? `<tool_response>\n${content.replaceAll('</tool_response>', '</ tool_response>')}\n</tool_response>`
        : content;
    const to = role === 'tool' ? 'user' : role;
    // Some templates want roles to alternate.
    if (last?.role === to) last.content += `\n${text}`;
    else made.push({ role: to, content: text });
  }
  if (tools.length === 0) return made;
  const section = toolSection(tools);
  const [first] = made;
  if (first?.role === 'system') return made.with(0, { role: 'system', content: `${first.content}\n\n${section}` });
  return [{ role: 'system', content: section }, ...made];
}

function toolSection(tools: readonly unknown[]): string {
  return [
    'You have these tools:',
    ...['<tools>', ...tools.map(spacedJson), '</tools>'],
    'To use tools, write for each call a JSON object with name and arguments in tags:',
    ...['<tool_call>', '{"name": <name of the tool>, "arguments": <JSON object>}', '</tool_call>'],
  ].join('\n');
}

/** Takes special tokens in a text apart by a space after their first character. */
function neutraliser(specials: readonly string[]): (text: string) => string {
  const texts = specials.filter((special) => special.trim().length > 1);
  return (text) => {
    let made = text;
    for (let special; (special = texts.find((each) => made.includes(each))) !== undefined;) {
      const [first] = special;
      made = made.replaceAll(special, `${first} ${special.slice(first!.length)}`);
    }
    return made;
  };
}
