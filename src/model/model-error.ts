import { MillraceError, type ErrorCode } from '../errors.ts';

/** What can go wrong with a call of a model. */
export type ModelProblem =
  /** 429: too many requests or tokens. */
  | 'MODEL_RATE_LIMITED'
  /** 503, 529: the provider has no capacity now. */
  | 'MODEL_OVERLOADED'
  /** Any other 5xx, or an error in the middle of a stream. */
  | 'MODEL_FAILED'
  /** The provider does not take the request. */
  | 'MODEL_REQUEST_REFUSED'
  /** 404: no such model, or no such address. */
  | 'MODEL_NOT_FOUND'
  /** 401, 403: the key is missing, wrong, or not allowed to do this. */
  | 'MODEL_UNAUTHENTICATED'
  /** No connection. */
  | 'MODEL_UNREACHABLE'
  /** No answer in time. */
  | 'MODEL_TIMEOUT'
  /** What was answered cannot be read. */
  | 'MODEL_ANSWER_MALFORMED'
  /** The stream ended before the answer did. */
  | 'MODEL_STREAM_CUT';

const CODES: Record<ModelProblem, ErrorCode> = {
  MODEL_RATE_LIMITED: 'resource_exhausted',
  MODEL_OVERLOADED: 'unavailable',
  MODEL_FAILED: 'unavailable',
  MODEL_REQUEST_REFUSED: 'invalid_argument',
  MODEL_NOT_FOUND: 'not_found',
  MODEL_UNAUTHENTICATED: 'unauthenticated',
  MODEL_UNREACHABLE: 'unavailable',
  MODEL_TIMEOUT: 'deadline_exceeded',
  MODEL_ANSWER_MALFORMED: 'unavailable',
  MODEL_STREAM_CUT: 'unavailable',
};

/** Problems after which nobody knows whether the provider charges for the call. */
const MAYBE_BILLED: ReadonlySet<ModelProblem> = new Set(['MODEL_TIMEOUT', 'MODEL_ANSWER_MALFORMED', 'MODEL_STREAM_CUT']);

/** Options of {@link ModelError}. */
export interface ModelErrorOptions {
  cause?: unknown;
  /** HTTP status of the answer. */
  status?: number;
  /** Least wait before the next try, in milliseconds, as the provider asked for. Default 0: it did not. */
  retryAfterMs?: number;
  /** What the provider calls the problem. */
  providerCode?: string;
  /** The call may have been charged for. Default: after time-outs, answers that cannot be read and cut streams. */
  maybeBilled?: boolean;
}

/** A call of a model failed. `reason` is one of {@link ModelProblem}. */
export class ModelError extends MillraceError {
  readonly status: number | undefined;
  readonly retryAfterMs: number;
  readonly providerCode: string | undefined;
  readonly maybeBilled: boolean;

  constructor(
    readonly problem: ModelProblem,
    message: string,
    { cause, status, retryAfterMs = 0, providerCode, maybeBilled }: ModelErrorOptions = {},
  ) {
    super(CODES[problem], message, { cause, reason: problem });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.providerCode = providerCode;
    this.maybeBilled = maybeBilled ?? MAYBE_BILLED.has(problem);
  }
}
