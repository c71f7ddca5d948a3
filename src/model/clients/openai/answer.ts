/** Answers in the form of OpenAI's chat completions, as far as they are read. Servers differ: what may be missing may. */
import { z } from 'zod';
import type { ModelEvent, ModelFinish } from '../../model.ts';
import type { ResultBuilder } from '../../result-builder.ts';

const usageSchema = z.object({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0).default(0),
  prompt_tokens_details: z.object({ cached_tokens: z.int().min(0).nullish() }).nullish(),
});

const callSchema = z.object({
  index: z.int().min(0).max(1000).nullish(),
  id: z.string().nullish(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
});

const contentSchema = z.object({
  content: z.string().nullish(),
  refusal: z.string().nullish(),
  tool_calls: z.array(callSchema).nullish(),
});

const choiceFields = {
  finish_reason: z.string().nullish(),
  logprobs: z.object({ content: z.array(z.object({ logprob: z.number() })).nullish() }).nullish(),
  token_ids: z.array(z.int().min(0)).nullish(),
};

const headFields = {
  id: z.string().nullish(),
  model: z.string().nullish(),
  usage: usageSchema.nullish(),
  prompt_token_ids: z.array(z.int().min(0)).nullish(),
};

/** A whole answer. */
export const completionSchema = z.object({
  ...headFields,
  choices: z.array(z.object({ ...choiceFields, message: contentSchema })).min(1),
});

/** One event of a stream. */
export const chunkSchema = z.object({
  ...headFields,
  choices: z.array(z.object({ ...choiceFields, delta: contentSchema.nullish() })).default([]),
  /** In place of the rest, when something broke in the middle. */
  error: z.unknown().optional(),
});

const FINISHES: Record<string, ModelFinish> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'filtered',
};

/** Takes a whole answer. */
export function takeCompletion(answer: z.infer<typeof completionSchema>, builder: ResultBuilder): void {
  takeHead(answer, builder);
  const [choice] = answer.choices;
  takeChoice(choice!, builder);
  takeContent(choice!.message, builder);
}

/** Takes an event of a stream; returns what is new in it. */
export function takeChunk(chunk: z.infer<typeof chunkSchema>, builder: ResultBuilder): ModelEvent[] {
  takeHead(chunk, builder);
  const [choice] = chunk.choices;
  if (choice === undefined) return [];
  takeChoice(choice, builder);
  return choice.delta ? takeContent(choice.delta, builder) : [];
}

function takeHead(head: z.infer<z.ZodObject<typeof headFields>>, builder: ResultBuilder): void {
  const { id, model, usage, prompt_token_ids: promptTokens } = head;
  if (id) builder.id = id;
  if (model) builder.model = model;
  if (promptTokens) builder.promptTokens = promptTokens;
  if (!usage) return;
  const cached = usage.prompt_tokens_details?.cached_tokens;
  builder.usage = {
    tokensIn: usage.prompt_tokens,
    tokensOut: usage.completion_tokens,
    ...(typeof cached === 'number' && { cachedTokensIn: cached }),
  };
}

function takeChoice(choice: z.infer<z.ZodObject<typeof choiceFields>>, builder: ResultBuilder): void {
  const { finish_reason: finish, logprobs, token_ids: ids } = choice;
  if (finish) builder.finish = FINISHES[finish] ?? 'stop';
  builder.tokens(
    ids,
    logprobs?.content?.map(({ logprob }) => logprob),
  );
}

function takeContent(
  { content, refusal, tool_calls: calls }: z.infer<typeof contentSchema>,
  builder: ResultBuilder,
): ModelEvent[] {
  const texts = [builder.text(content), builder.text(refusal)].filter((event) => event !== undefined);
  const pieces = (calls ?? []).map((call, at) =>
    builder.call(call.index ?? at, {
      id: call.id ?? undefined,
      tool: call.function?.name ?? undefined,
      arguments: call.function?.arguments ?? '',
    }),
  );
  return [...texts, ...pieces];
}
