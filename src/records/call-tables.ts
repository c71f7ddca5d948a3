/** How much of a call is known: ids and log-probabilities of its tokens, log-probabilities alone, or its texts. Only `tokens` can be trained on. */
export type CaptureLevel = 'tokens' | 'logprobs' | 'text';

/**
 * How far a call has got. `started`: nobody has written how it ended, since it runs or its gateway died. `cut`: the client left, or the
 * response broke off, before its end. Only `completed` calls are whole.
 */
export type CallStatus = 'started' | 'completed' | 'failed' | 'cut';

/** What a call is to its trajectory: part of it, a call beside it (a title, a summary), or the same request sent again. */
export type CallUse = 'main' | 'auxiliary' | 'retry';

/** A call of a language model through the gateway. Key: (job, trajectory_id, call_id); of several rows the latest holds. */
export interface CallRow {
  job: string;
  trajectory_id: string;
  /** Unique; calls of a trajectory sort by it in the order in which they started. */
  call_id: string;
  /** Session whose key the caller had. */
  session: string;
  task_id: string;
  /** Empty outside of experiments. */
  experiment: string;
  arm: string;
  status: CallStatus;
  use: CallUse;
  /** The call that this one repeats; empty where it repeats none. */
  retry_of: string;
  capture: CaptureLevel;
  /** `chat.completions`, `responses` or `messages`. */
  endpoint: string;
  /** Provider, or job of the policy, that answered. */
  upstream: string;
  /** Model as the caller named it. */
  model: string;
  /** Model as the upstream named itself; empty while it has not answered. */
  served_model: string;
  /** SHA-256 of the weights, where they are Millrace's own. */
  weights: string;
  /** SHA-256 of what instructs the model: system messages, tools, response format. */
  prompt_digest: string;
  streamed: boolean;
  /** The call of which this one repeats the first `shared_messages` messages; empty where `request` has them all. */
  continues: string;
  shared_messages: number;
  /** Body of the request without the shared messages, as JSON text; empty where it is an artifact. */
  request: string;
  /** SHA-256 of the body as it came. */
  request_digest: string;
  /** Digest of the artifact that has the body; empty where `request` has it. */
  request_artifact: string;
  /** Body of the response; of a stream, the response that its events add up to. Empty where it is an artifact. */
  response: string;
  /** Digest of the artifact that has the response; empty where `response` has it. */
  response_artifact: string;
  /** HTTP status of the upstream; 0 while, or when, there was none. */
  http_status: number;
  /** What went wrong, in words; empty otherwise. */
  error: string;
  /** Why the model stopped, in the upstream's word. */
  finish_reason: string;
  tokens_in: number;
  tokens_out: number;
  /** Of `tokens_in`, those that the upstream had cached. */
  tokens_cached: number;
  /** Cost in millionths of a US dollar; 0 where nobody knows the price. */
  micro_dollars: number;
  /** Microseconds from the request to the first byte of the response, and to its end. */
  first_byte_us: number;
  duration_us: number;
  /** Token ids that the model read and wrote, and log-probabilities of the latter: as far as `capture` says. */
  prompt_tokens: readonly number[];
  tokens: readonly number[];
  token_log_probabilities: readonly number[];
  /** Unix time in microseconds; 0 = has not ended. */
  started_at: number;
  ended_at: number;
  /** When this row was written; grows from one row of a call to the next. */
  at: number;
}

/** Columns of table `calls` that hold whole bodies: they are never cut, since what is too long is an artifact. */
export const CALL_BODIES: readonly string[] = ['request', 'response'] satisfies (keyof CallRow)[];

/** Columns of table `calls`, in the order of an encoded row. */
export const CALL_COLUMNS = `job trajectory_id call_id session task_id experiment arm status use retry_of capture endpoint upstream
  model served_model weights prompt_digest streamed continues shared_messages request request_digest request_artifact response
  response_artifact http_status error finish_reason tokens_in tokens_out tokens_cached micro_dollars first_byte_us duration_us
  prompt_tokens tokens token_log_probabilities started_at ended_at at`;
