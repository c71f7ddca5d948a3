/** Calls of tools as JSON: `{"name": "refund", "arguments": {"order": 7}}`. */
import type { ToolCall, WrittenCall } from './conversation.ts';

/** What of a JSON value is a call. `arguments` may be called `parameters`, and may be JSON in a text, as some models write them. */
export function callOf(value: unknown): WrittenCall {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { problem: `a call is a JSON object with name and arguments, not ${kindOf(value)}` };
  const { name, arguments: given, parameters } = value as Record<string, unknown>;
  if (typeof name !== 'string' || name === '')
    return { problem: 'a call needs the name of a tool, as a text in the field "name"' };
  const written = given ?? parameters ?? {};
  if (typeof written !== 'string') return { tool: name, arguments: written };
  const inner = parsed(written);
  return 'value' in inner ? { tool: name, arguments: inner.value } : { tool: name, arguments: written };
}

/** Calls in a text that is nothing but JSON: one object, or a list of them. */
export function callsIn(json: string): WrittenCall[] {
  const made = parsed(json);
  if ('problem' in made) return [{ problem: `the call is not JSON: ${made.problem}` }];
  return Array.isArray(made.value) ? made.value.map(callOf) : [callOf(made.value)];
}

/** A value, or why the text is not JSON. */
export function parsed(json: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(json) as unknown };
  } catch (thrown) {
    // V8 quotes the text; what the policy wrote it can see itself.
    return { problem: (thrown as Error).message.replace(/, (?:"|\.\.\.).*$/s, '').replace(/ \(line .*$/s, '') };
  }
}

/** A call as JSON with a space after commas and colons, as models have seen it in training. @param key - field of the arguments */
export function callJson({ tool, arguments: args }: ToolCall, key: 'arguments' | 'parameters'): string {
  return spacedJson({ name: tool, [key]: args ?? {} });
}

/** JSON in the style of Python: `{"a": [1, 2]}`. */
export function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return (JSON.stringify(value) as string | undefined) ?? 'null';
  const fields = Object.entries(value).filter(([, part]) => part !== undefined);
  return `{${fields.map(([name, part]) => `${JSON.stringify(name)}: ${spacedJson(part)}`).join(', ')}}`;
}

/** Place after the JSON object or list that begins at `start`; undefined where it does not end. Brackets are counted, no more. */
export function valueEnd(text: string, start: number): number | undefined {
  let depth = 0;
  let inText = false;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (inText) {
      if (char === '\\') i++;
      else if (char === '"') inText = false;
    } else if (char === '"') inText = true;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth <= 0) return i + 1;
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
