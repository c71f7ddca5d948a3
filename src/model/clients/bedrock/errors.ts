import type { Clock } from '../../../clock/clock.ts';
import { MillraceError } from '../../../errors.ts';
import { retryAfterMs } from '../../../http/retry-after.ts';
import { quoted } from '../../http/endpoint.ts';
import { deepest, problemOf, throwIfStopped } from '../../http/post.ts';
import { ModelError } from '../../model-error.ts';

/** What the library's errors have. */
interface SdkFailure {
  name?: string;
  message?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

/** What an error of a call is about. */
export interface FailedCall {
  what: string;
  signal: AbortSignal | undefined;
  clock: Clock;
  /** The answer had begun. */
  hasBegun: boolean;
}

const NOT_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

/** An error of the library in our words. */
export function bedrockError(thrown: unknown, { what, signal, clock, hasBegun }: FailedCall): Error {
  if (thrown instanceof MillraceError) return thrown;
  throwIfStopped(signal, what);
  const { name = '', $metadata, $response } = thrown as SdkFailure;
  const { code, message } = deepest(thrown);
  // The library's errors have the whole request in them, with the id of the credentials: only their words go on.
  const said = quoted([name, message].filter((part) => part !== '' && part !== 'Error').join(': '), []);
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
    return new ModelError(
      'MODEL_UNAUTHENTICATED',
      `${what}: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or AWS_BEARER_TOKEN_BEDROCK (${said})`,
    );
  const status = $metadata?.httpStatusCode ?? $response?.statusCode;
  if (status !== undefined && status >= 400)
    return new ModelError(problemOf(status), `${what}: HTTP ${status}: ${said}`, {
      ...{ status, providerCode: name, maybeBilled: hasBegun },
      retryAfterMs: retryAfterMs($response?.headers?.['retry-after'], clock.now()),
    });
  const isTruncated = /truncated/i.test(message);
  if (code === undefined && !isTruncated && (status === 200 || hasBegun))
    return new ModelError('MODEL_ANSWER_MALFORMED', `${what}: the answer cannot be read (${said})`);
  if (hasBegun) return new ModelError('MODEL_STREAM_CUT', `${what}: the answer broke off (${said})`);
  return new ModelError('MODEL_UNREACHABLE', `${what}: no connection (${code ?? said})`, {
    maybeBilled: !NOT_SENT.includes(code ?? ''),
  });
}
