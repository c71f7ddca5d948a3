import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { MillraceError } from '../errors.ts';
import { generated, type GeneratedDecision, type Generation, type Reading } from '../policy/decision.ts';
import type { MalformedCall, ToolCall } from '../base-model/chat/conversation.ts';
import type { GenerateRequest, Inference } from '../policy/inference/inference.ts';
import { describe, FlowFailure } from './failure.ts';

const MAX_TOKEN = 2 ** 32 - 1;
/** Log-probabilities are sums of rounded numbers. */
const ROUNDING = 1e-3;

/** Who writes, and how it is read. */
export interface Writer extends Pick<GenerateRequest, 'lease'> {
  inference: Pick<Inference, 'generate'>;
  /** What tokens say. */
  read(this: void, tokens: readonly number[]): Reading;
}

/**
 * Has the policy write, and reads what it wrote. POLICY_UNAVAILABLE, with the version and what is wrong, where its kind throws or answers what
 * cannot be trained on: nothing of it is recorded.
 */
export async function generation(
  { inference, lease, read }: Writer,
  request: Omit<GenerateRequest, 'lease'>,
): Promise<GeneratedDecision> {
  const fail = (problem: string, cause?: unknown): FlowFailure =>
    new FlowFailure(FailureClass.POLICY_UNAVAILABLE, `policy version ${lease.version}: ${problem}`, cause);
  let answer: Generation;
  try {
    answer = await inference.generate({ ...request, lease });
  } catch (thrown) {
    if (thrown instanceof MillraceError) throw thrown;
    throw fail(`generate: ${describe(thrown)}`, thrown);
  }
  const problem = problemOf(answer);
  if (problem !== undefined) throw fail(`generate gave ${problem}`);
  let reading: Reading;
  try {
    reading = read(answer.tokens);
  } catch (thrown) {
    throw fail(`read: ${describe(thrown)}`, thrown);
  }
  if (typeof reading?.text !== 'string') throw fail('read gave no text');
  if (!Array.isArray(reading.calls)) throw fail('read gave no list of calls');
  const isSound = (call: Partial<ToolCall & MalformedCall> | null): boolean =>
    typeof call === 'object' && call !== null && typeof (call.tool ?? call.problem) === 'string';
  if (!reading.calls.every(isSound)) throw fail('read gave a call with neither the name of a tool nor a problem');
  return generated(answer, reading);
}

/** What of an answer cannot be trained on; undefined when it is sound. */
function problemOf(answer: Generation | undefined): string | undefined {
  if (!Array.isArray(answer?.tokens) || !Array.isArray(answer.logProbabilities))
    return 'no lists of tokens and log-probabilities';
  const { tokens, logProbabilities, finish } = answer;
  if (tokens.length === 0) return 'no tokens';
  if (tokens.length !== logProbabilities.length)
    return `${logProbabilities.length} log-probabilities for ${tokens.length} tokens`;
  const wrong = tokens.findIndex((token) => !(Number.isInteger(token) && token >= 0 && token <= MAX_TOKEN));
  if (wrong >= 0) return `the token ${tokens[wrong]}; tokens are integers from 0 to ${MAX_TOKEN}`;
  const bad = logProbabilities.findIndex((log) => !(log > -Infinity && log <= ROUNDING));
  if (bad >= 0) return `token ${bad} the log-probability ${logProbabilities[bad]}`;
  if (finish !== 'stop' && finish !== 'length') return `the finish reason ${JSON.stringify(finish)}`;
  return undefined;
}
