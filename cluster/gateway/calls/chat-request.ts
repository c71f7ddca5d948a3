import { createHash } from 'node:crypto';
import { MillraceError } from '../../../src/errors.ts';
import { objectOf, type Loose } from './chat-response.ts';

/** A request for a chat completion: what the gateway has to know of it. Everything else is passed on as it came. */
export interface ChatRequest {
  body: Loose;
  model: string;
  messages: readonly unknown[];
  stream: boolean;
  /** Choices that are asked for. */
  choices: number;
  /** The client itself wants the usage at the end of a stream. */
  wantsUsage: boolean;
  /** SHA-256 of the body as it came. */
  digest: string;
  /** SHA-256 of what instructs the model: system messages, tools, response format. */
  promptDigest: string;
}

const MOST_MODEL = 200;
const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

/** Reads a body. `invalid_argument` with the field for what no upstream could answer. */
export function readChatRequest(bytes: Buffer): ChatRequest {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MillraceError('invalid_argument', 'The body is no JSON.', { field: 'body', cause });
  }
  const wrong = (field: string, expected: string): MillraceError =>
    new MillraceError('invalid_argument', `${field}: expected ${expected}.`, { field });
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw wrong('body', 'an object');
  const { model, messages, stream = false, n = 1, stream_options: options, tools, response_format: format } = body as Loose;
  if (typeof model !== 'string' || model === '' || model.length > MOST_MODEL)
    throw wrong('model', `a name of 1 to ${MOST_MODEL} characters`);
  if (!Array.isArray(messages) || messages.length === 0) throw wrong('messages', 'a list with at least one message');
  if (typeof stream !== 'boolean' && stream !== null) throw wrong('stream', 'true or false');
  if (n !== null && (!Number.isInteger(n) || Number(n) < 1 || Number(n) > 128)) throw wrong('n', 'a whole number from 1 to 128');
  const system = messages.filter((message) => ['system', 'developer'].includes(String(objectOf(message)['role'])));
  return {
    body: body as Loose,
    ...{ model, messages: messages as unknown[], stream: stream === true, choices: Number(n ?? 1) },
    wantsUsage: objectOf(options)['include_usage'] === true,
    digest: sha256(bytes),
    promptDigest: sha256(JSON.stringify([system, tools ?? null, format ?? null])),
  };
}

/**
 * The body that goes upstream: the model by its own name there, and of streams the usage at the end, without which nobody would know
 * what they cost.
 */
export function upstreamBody({ body, stream }: ChatRequest, model: string): string {
  const options = stream && { stream_options: { ...objectOf(body['stream_options']), include_usage: true } };
  return JSON.stringify({ ...body, model, ...options });
}
