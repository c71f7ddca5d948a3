import { systemClock } from '../../../clock/system.ts';
import { endpointOf, quoted, type Endpoint } from '../../http/endpoint.ts';
import { post, saidIn } from '../../http/post.ts';
import { parseAnswer, readEvents, readJson } from '../../http/read.ts';
import type { CallOptions, Model, ModelEvent, ModelRequest, ModelResult } from '../../model.ts';
import { ModelError } from '../../model-error.ts';
import type { HttpModelOptions } from '../options.ts';
import { ResultBuilder } from '../../result-builder.ts';
import { chunkSchema, completionSchema, takeChunk, takeCompletion } from './answer.ts';
import { openAiBody, type OpenAiDialect } from './request.ts';

/** Options of {@link openAiModel}. */
export interface OpenAiOptions extends HttpModelOptions, OpenAiDialect {
  /** Where the API is, up to `/v1`. Default `https://api.openai.com/v1`. */
  url?: string;
  /** Sent as `Authorization: Bearer …`. Default: none, as local servers want it. */
  apiKey?: string | undefined;
}

const OPENAI_URL = 'https://api.openai.com/v1';

/**
 * A model behind OpenAI's chat completions, as most servers speak it (OpenAI, vLLM, llama.cpp, Ollama, OpenRouter, …). Makes each call once:
 * retries, limits and prices are wrappers.
 *
 * @throws MillraceError `invalid_argument` (field `url`) for an address that is none
 */
export function openAiModel(options: OpenAiOptions): Model {
  const { model, url = OPENAI_URL, apiKey, headers = {}, name = model, clock = systemClock } = options;
  const endpoint = endpointOf({
    ...{ model: name, url, clock },
    headers: { ...headers, ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }) },
    secrets: [apiKey, ...Object.values(headers)],
  });
  const isOpenAi = new URL(endpoint.url).hostname === 'api.openai.com';
  const { maxTokensField = isOpenAi ? 'max_completion_tokens' : 'max_tokens' } = options;
  const ask = (request: ModelRequest, stream: boolean, signal: AbortSignal | undefined): Promise<Response> =>
    post(endpoint, { path: '/chat/completions', body: openAiBody(model, request, { stream, maxTokensField }), signal });
  return {
    name,
    async generate(request: ModelRequest, { signal }: CallOptions = {}): Promise<ModelResult> {
      const builder = new ResultBuilder(model, clock);
      const response = await ask(request, false, signal);
      takeCompletion(await readJson(endpoint, response, completionSchema, signal), builder);
      return builder.result();
    },
    async *stream(request: ModelRequest, { signal }: CallOptions = {}): AsyncGenerator<ModelEvent> {
      const builder = new ResultBuilder(model, clock);
      const response = await ask(request, true, signal);
      for await (const { data } of readEvents(endpoint, response, signal)) {
        if (data === '[DONE]') break;
        const chunk = parseAnswer(endpoint, data, chunkSchema);
        if (chunk.error) throw brokenOff(endpoint, data);
        yield* takeChunk(chunk, builder);
      }
      if (builder.finish === undefined)
        throw new ModelError('MODEL_STREAM_CUT', `${endpoint.what}: the stream ended before the answer did`);
      yield { type: 'end', result: builder.result() };
    },
  };
}

function brokenOff({ what, secrets }: Endpoint, data: string): ModelError {
  const { message, code } = saidIn(data);
  const said = quoted(message, secrets);
  return new ModelError('MODEL_FAILED', `${what}: error in the middle of the stream: ${said}`, {
    ...(code !== undefined && { providerCode: code }),
    maybeBilled: true,
  });
}
