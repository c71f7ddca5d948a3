import type { Json } from '../../flow/define.ts';
import type { RetryLaterOptions } from '../../flow/retry-later.ts';

/** One step as a custom reward function sees it. */
export interface RewardStep {
  tool: string;
  /** Memory items that the action pointed to. */
  items: number[];
  /** As JSON text; cut where it is long. */
  arguments: string;
  /** Texts as they are, everything else as JSON, cut where it is long; the message when the tool answered with an error. */
  result: string;
  error: boolean;
  /** The flow's `verify` confirmed the step. */
  verified: boolean;
}

/** What a custom reward function is given. */
export interface RewardInput<T = any> {
  task: T;
  /** What the flow left behind. */
  answer: Json;
  /** What the flow's `load` returned as context, loaded anew in the thread that the function runs in. */
  context: any;
  steps: RewardStep[];
  /** The flow's own outcome reward. */
  outcome: number;
}

/**
 * The default export of a reward module. It must depend on its input only: a call whose thread was ended by another one is
 * made again. `T` is the flow's task.
 */
export type RewardFunction<T = any> = (input: RewardInput<T>) => number | Promise<number>;

/** Where the thread finds flow, tasks and context: the job's own fields. */
export interface FlowSource {
  flow: string;
  data: string | undefined;
  options: Readonly<Record<string, Json>>;
  seed: number;
}

/** Modules of an unpacked bundle. */
export interface BundledReward {
  module: string;
  flow: string;
}

/** What a thread starts with. Without `source` it only checks the module. */
export interface ThreadData {
  module: string;
  source: FlowSource | undefined;
  /** What is run instead of both files. */
  bundled: BundledReward | undefined;
}

/** What one call is about. */
export interface RewardCall {
  taskJson: string;
  answerJson: string;
  steps: RewardStep[];
  outcome: number;
}

/** To the thread. */
export type ToThread = ({ kind: 'call'; id: number } & RewardCall) | { kind: 'ping' };

/** From the thread. */
export type FromThread =
  | { kind: 'ready' }
  /** The module cannot be used; the thread ends. */
  | { kind: 'unusable'; code: 'not_found' | 'invalid_argument'; message: string }
  | { kind: 'started'; id: number }
  | { kind: 'done'; id: number; value?: unknown; problem?: string; later?: RetryLaterOptions }
  | { kind: 'pong' };
