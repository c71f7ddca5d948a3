/** How models write calls of tools. Reading never throws, whatever a text says. */
import { callJson, callOf, callsIn, parsed, valueEnd } from './call-json.ts';
import { isCall, type Speech, type WrittenCall } from './conversation.ts';

/** A form of calls in a text. */
export interface ToolSyntax {
  readonly name: 'tagged' | 'bare';
  /** What a text says. What was thought aloud (`<think>…</think>`) is in neither content nor calls. */
  read(text: string): Speech;
  /** The text that says this; reading it gives it back. Calls that could not be read are left out. */
  write(speech: Speech): string;
}

const OPEN = '<tool_call>';
const CLOSE = '</tool_call>';
/** So many ends are tried for one call: arguments may hold the end tag as text. */
const MAX_ENDS = 8;

/**
 * `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, any number of them, with text around: Qwen and Hermes. A list of calls in one tag
 * (SmolLM2) is read as well; an empty list is no call. A last tag that is not closed ends with the text.
 */
export const tagged: ToolSyntax = {
  name: 'tagged',
  read(text) {
    const said = withoutThoughts(text);
    const calls: WrittenCall[] = [];
    let content = '';
    let at = 0;
    for (;;) {
      const open = said.indexOf(OPEN, at);
      if (open < 0) break;
      content += said.slice(at, open);
      const { json, end } = taggedJson(said, open + OPEN.length);
      calls.push(...callsIn(json));
      at = end;
    }
    return { content: (content + said.slice(at)).trim(), calls };
  },
  write({ content, calls }) {
    const written = calls.filter(isCall).map((call) => `${OPEN}\n${untagged(callJson(call, 'arguments'))}\n${CLOSE}`);
    return [...(content === '' ? [] : [content]), ...written].join('\n');
  },
};

/** What stands in a tag that has been opened, and where the text goes on. */
function taggedJson(text: string, start: number): { json: string; end: number } {
  let first: { json: string; end: number } | undefined;
  for (let tries = 0, from = start; tries < MAX_ENDS; tries++) {
    const close = text.indexOf(CLOSE, from);
    if (close < 0) break;
    const found = { json: text.slice(start, close), end: (from = close + CLOSE.length) };
    if ('value' in parsed(found.json)) return found;
    first ??= found;
  }
  return first ?? { json: text.slice(start), end: text.length };
}

/** Inside of texts only, where JSON has another way to write it. */
const untagged = (json: string): string => json.replaceAll(/<(?=\/?(?:tool_call|think)>)/g, '\\u003c');

const PYTHON_TAG = '<|python_tag|>';

/**
 * A message that is nothing but `{"name": …, "parameters": {…}}`, several with `; ` between them, maybe after `<|python_tag|>`: Llama 3. Any
 * other text calls nothing, JSON that has no name of a tool included: it may be the answer. There is no text beside calls.
 */
export const bare: ToolSyntax = {
  name: 'bare',
  read(text) {
    const said = withoutThoughts(text).trim();
    const isMarked = said.startsWith(PYTHON_TAG);
    const body = isMarked ? said.slice(PYTHON_TAG.length).trim() : said;
    const nothing = { content: body, calls: [] };
    if (!isMarked && !/^(?:\[\s*)?\{\s*"/.test(body)) return nothing;
    const calls = bareCalls(body);
    const isAnswer = !isMarked && !calls.some(isCall) && !/"(?:name|parameters)"\s*:/.test(body);
    return isAnswer ? nothing : { content: '', calls };
  },
  write({ content, calls }) {
    const written = calls.filter(isCall);
    return written.length === 0 ? content : written.map((call) => untagged(callJson(call, 'parameters'))).join('; ');
  },
};

function bareCalls(body: string): WrittenCall[] {
  const calls: WrittenCall[] = [];
  for (let at = 0; at < body.length;) {
    const end = /[{[]/.test(body[at]!) ? valueEnd(body, at) : undefined;
    if (end === undefined) return [...calls, ...callsIn(body.slice(at))];
    const made = parsed(body.slice(at, end));
    if ('problem' in made) calls.push({ problem: `the call is not JSON: ${made.problem}` });
    else calls.push(...(Array.isArray(made.value) ? made.value.map(callOf) : [callOf(made.value)]));
    at = end + /^[\s;,]*/.exec(body.slice(end, end + 64))![0].length;
  }
  return calls;
}

/** Calls that a model only thinks about are none. Some templates open the thought already in the prompt. */
function withoutThoughts(text: string): string {
  const begin = text.indexOf('<think>');
  const end = text.indexOf('</think>');
  const isOpen = begin >= 0 && text.slice(0, begin).trim() === '';
  if (isOpen && end < 0) return '';
  return end >= 0 && (isOpen || begin < 0 || end < begin) ? text.slice(end + '</think>'.length) : text;
}
