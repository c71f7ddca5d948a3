import type { ModelFinish } from '../model.ts';
import type { Dialect, DialectEvent, DialectRequest } from './dialect.ts';
import { readOpenAi } from './openai-request.ts';
import { callsOf, finishOf, piecesOf, usageOf, type ScriptedReply } from './script.ts';

const FINISHES: Record<ModelFinish, string> = {
  stop: 'stop',
  tool_calls: 'tool_calls',
  length: 'length',
  filtered: 'content_filter',
};

const CREATED = 1_700_000_000;

/** Chat completions. */
export const openAiDialect: Dialect = {
  matches: (path) => path.endsWith('/chat/completions'),
  read: readOpenAi,
  answer(reply, asked) {
    const { promptTokens, tokens } = tokensOf(reply, asked);
    const calls = callsOf(reply);
    return {
      ...headOf(asked, 'chat.completion'),
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: reply.text ?? null,
            ...(calls.length > 0 && {
              tool_calls: calls.map(({ id, tool, arguments: args }) => ({
                ...{ id, type: 'function' },
                function: { name: tool, arguments: args },
              })),
            }),
          },
          finish_reason: FINISHES[finishOf(reply)],
          ...tokens,
        },
      ],
      usage: wireUsage(reply, asked),
      ...promptTokens,
    };
  },
  *events(reply, asked): Generator<DialectEvent> {
    const { promptTokens, tokens } = tokensOf(reply, asked);
    const head = headOf(asked, 'chat.completion.chunk');
    const chunk = (delta: object, isPiece: boolean, more: object = {}): DialectEvent =>
      sse({ ...head, choices: [{ index: 0, delta, finish_reason: null, ...more }] }, isPiece);
    yield sse({ ...head, choices: [{ index: 0, delta: { role: 'assistant', content: '' } }], ...promptTokens }, false);
    for (const content of piecesOf(reply.text ?? '', reply.pieceLength)) yield chunk({ content }, true);
    for (const [index, { id, tool, arguments: args }] of callsOf(reply).entries()) {
      yield chunk({ tool_calls: [{ index, id, type: 'function', function: { name: tool, arguments: '' } }] }, true);
      for (const piece of piecesOf(args, reply.pieceLength))
        yield chunk({ tool_calls: [{ index, function: { arguments: piece } }] }, true);
    }
    yield chunk({}, false, { finish_reason: FINISHES[finishOf(reply)], ...tokens });
    const usage = wireUsage(reply, asked);
    if (usage !== undefined) yield sse({ ...head, choices: [], usage }, false);
    yield { data: 'data: [DONE]\n\n', isPiece: false };
  },
  malformedEvent: 'data: {"choices": [\n\n',
  error: (status, message) => ({ error: { message, type: 'scripted', code: `scripted_${status}` } }),
};

function sse(data: unknown, isPiece: boolean): DialectEvent {
  return { data: `data: ${JSON.stringify(data)}\n\n`, isPiece };
}

function headOf({ model }: DialectRequest, object: string): object {
  return { id: 'chatcmpl-scripted', object, created: CREATED, model };
}

function wireUsage(reply: ScriptedReply, { request }: DialectRequest): object | undefined {
  const usage = usageOf(reply, request);
  if (usage === undefined) return undefined;
  const { tokensIn, tokensOut, cachedTokensIn } = usage;
  return {
    prompt_tokens: tokensIn,
    completion_tokens: tokensOut,
    total_tokens: tokensIn + tokensOut,
    ...(cachedTokensIn !== undefined && { prompt_tokens_details: { cached_tokens: cachedTokensIn } }),
  };
}

/** Token ids and log-probabilities, where they were asked for and the script has them. */
function tokensOf(
  { promptTokens, tokens, logProbabilities }: ScriptedReply,
  { request }: DialectRequest,
): { promptTokens: object; tokens: object } {
  const ids = request.tokenIds === true;
  return {
    promptTokens: ids && promptTokens !== undefined ? { prompt_token_ids: promptTokens } : {},
    tokens: {
      ...(ids && tokens !== undefined && { token_ids: tokens }),
      ...(request.logProbabilities === true &&
        logProbabilities !== undefined && {
          logprobs: { content: logProbabilities.map((logprob) => ({ token: '', logprob, bytes: null, top_logprobs: [] })) },
        }),
    },
  };
}
