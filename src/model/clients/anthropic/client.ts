import { systemClock } from '../../../clock/system.ts';
import { endpointOf, quoted } from '../../http/endpoint.ts';
import { post, saidIn } from '../../http/post.ts';
import { parseAnswer, readEvents, readJson } from '../../http/read.ts';
import type { CallOptions, Model, ModelEvent, ModelRequest, ModelResult } from '../../model.ts';
import { ModelError } from '../../model-error.ts';
import type { HttpModelOptions } from '../options.ts';
import { ResultBuilder } from '../../result-builder.ts';
import { eventSchema, messageSchema, MessageStream, takeMessage } from './answer.ts';
import { anthropicBody } from './request.ts';

/** Options of {@link anthropicModel}. */
export interface AnthropicOptions extends HttpModelOptions {
  /** Where the API is, up to `/v1`. Default `https://api.anthropic.com/v1`. */
  url?: string;
  /** Sent as `x-api-key`. */
  apiKey?: string | undefined;
}

const ANTHROPIC_URL = 'https://api.anthropic.com/v1';
const VERSION = '2023-06-01';

/**
 * A model behind Anthropic's Messages. It knows no seeds, log-probabilities and token ids; a request without `maxTokens` gets 4,096. Makes
 * each call once: retries, limits and prices are wrappers.
 *
 * @throws MillraceError `invalid_argument` (field `url`) for an address that is none
 */
export function anthropicModel(options: AnthropicOptions): Model {
  const { model, url = ANTHROPIC_URL, apiKey, headers = {}, name = model, clock = systemClock } = options;
  const endpoint = endpointOf({
    ...{ model: name, url, clock },
    headers: { 'anthropic-version': VERSION, ...headers, ...(apiKey !== undefined && { 'x-api-key': apiKey }) },
    secrets: [apiKey, ...Object.values(headers)],
  });
  const ask = (request: ModelRequest, stream: boolean, signal: AbortSignal | undefined): Promise<Response> =>
    post(endpoint, { path: '/messages', body: anthropicBody(model, request, stream), signal });
  return {
    name,
    async generate(request: ModelRequest, { signal }: CallOptions = {}): Promise<ModelResult> {
      const builder = new ResultBuilder(model, clock);
      const response = await ask(request, false, signal);
      takeMessage(await readJson(endpoint, response, messageSchema, signal), builder);
      return builder.result();
    },
    async *stream(request: ModelRequest, { signal }: CallOptions = {}): AsyncGenerator<ModelEvent> {
      const builder = new ResultBuilder(model, clock);
      const response = await ask(request, true, signal);
      const stream = new MessageStream(builder);
      for await (const { data, event } of readEvents(endpoint, response, signal)) {
        if (event === 'error') throw failedInStream(endpoint.what, data, endpoint.secrets);
        yield* stream.take(parseAnswer(endpoint, data, eventSchema));
        if (stream.isComplete) break;
      }
      if (!stream.isComplete)
        throw new ModelError('MODEL_STREAM_CUT', `${endpoint.what}: the stream ended before the answer did`);
      yield { type: 'end', result: builder.result() };
    },
  };
}

function failedInStream(what: string, data: string, secrets: readonly string[]): ModelError {
  const { message, code } = saidIn(data);
  const problem = code === 'overloaded_error' ? 'MODEL_OVERLOADED' : 'MODEL_FAILED';
  return new ModelError(problem, `${what}: error in the middle of the stream: ${quoted(message, secrets)}`, {
    ...(code !== undefined && { providerCode: code }),
    maybeBilled: true,
  });
}
