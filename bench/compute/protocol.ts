/**
 * How the harness talks to a participant, a process that computes: one JSON message a line, answers in the order of the
 * questions. Participants print nothing else to standard output.
 */

/** What is asked. */
export type Request =
  /** Take up a case (named in cases.ts; its numbers lie in `folder`, see export.ts) and compute what `Loaded` says. */
  | { op: 'load'; case: number; folder: string }
  /** Time `repetitions` steps after `warmup` that are not counted. */
  | { op: 'time'; kind: Kind; repetitions: number; warmup: number }
  /** Run `steps` training steps and say what is held after them. */
  | { op: 'run'; steps: number };

/** train: forward, loss, backward, AdamW. forward: scores of the batch. */
export type Kind = 'train' | 'forward';
export const KINDS: readonly Kind[] = ['train', 'forward'];

/** First line of a participant: what computes, or why it cannot. */
export type Hello = { ready: string } | { unavailable: string };

/** What a participant made of a case: compared with the others' before anything is timed. */
export interface Loaded {
  loss: number;
  /** Loss after `STEPS_COMPARED` steps. */
  lossAfter: number;
  /** Euclidean norm of each parameter's gradient; parameters without one may be left out. */
  norms: Record<string, number>;
  /** Sum and sum of squares of the scores. */
  scores: [number, number];
}

/** Steps between `loss` and `lossAfter`; the case is loaded anew afterwards. */
export const STEPS_COMPARED = 3;
/** Learning rate of those steps: large enough that a wrong update shows. */
export const RATE_COMPARED = 1e-3;

/** Milliseconds of each repetition, by the clock and of the process on its processor. */
export interface Timed {
  wall: number[];
  cpu: number[];
}

/** What is held after `run`. */
export interface Held {
  tensors: number;
  bytes: number;
  rss: number;
}
