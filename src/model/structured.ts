import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import type { CallOptions, Model, ModelMessage, ModelRequest, ModelResult } from './model.ts';

/** What {@link generateObject} is asked. */
export interface ObjectRequest<T> extends Omit<ModelRequest, 'output'> {
  /** What the answer must be. The model is shown its JSON schema. */
  schema: z.ZodType<T>;
  /** Name of the schema: letters, digits, `_` and `-`. Default `answer`. */
  schemaName?: string;
  /** How often the model is asked again when its answer is wrong, shown what was wrong; 0 to 10. Default 2. */
  reasks?: number;
}

/** A value, and the answers that it took; the last one has it. */
export interface ObjectResult<T> {
  value: T;
  results: readonly ModelResult[];
}

/**
 * Asks for a value of a schema. An answer that is no JSON, or not of the schema, is shown to the model with what is wrong, and asked for again.
 *
 * @throws MillraceError `failed_precondition` (reason `OUTPUT_INVALID`) when no answer was right; what the model throws
 */
export async function generateObject<T>(
  model: Model,
  { schema, schemaName = 'answer', reasks = 2, ...asked }: ObjectRequest<T>,
  options?: CallOptions,
): Promise<ObjectResult<T>> {
  const output = { name: schemaName, schema: z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown> };
  let messages = asked.messages;
  const results: ModelResult[] = [];
  let problem = '';
  for (let asks = 0; asks <= reasks; asks++) {
    const result = await model.generate({ ...asked, messages, output }, options);
    results.push(result);
    const read = readAnswer(result, schema);
    if ('value' in read) return { value: read.value, results };
    problem = read.problem;
    const again: ModelMessage[] = [
      ...(result.text === '' ? [] : [{ role: 'assistant' as const, content: result.text }]),
      { role: 'user', content: `That cannot be used: ${problem}. Answer again, with JSON of the schema and nothing else.` },
    ];
    messages = [...asked.messages, ...again];
  }
  throw new MillraceError(
    'failed_precondition',
    `model '${model.name}' gave no right answer in ${reasks + 1} tries: ${problem}`,
    {
      reason: 'OUTPUT_INVALID',
    },
  );
}

function readAnswer<T>({ text, finish }: ModelResult, schema: z.ZodType<T>): { value: T } | { problem: string } {
  if (finish === 'length') return { problem: 'the answer was cut off at its longest length' };
  let json: unknown;
  try {
    json = JSON.parse(unfenced(text)) as unknown;
  } catch (thrown) {
    return { problem: `it is not JSON (${(thrown as Error).message})` };
  }
  const parsed = schema.safeParse(json);
  return parsed.success ? { value: parsed.data } : { problem: z.prettifyError(parsed.error).replace(/\s+/g, ' ') };
}

/** Models that are not held to a schema put JSON into a block of Markdown. */
function unfenced(text: string): string {
  return /^\s*```(?:json)?\s*\n(.*)\n\s*```\s*$/s.exec(text)?.[1] ?? text;
}
