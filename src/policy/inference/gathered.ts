import { nextTurn } from '../../clock/turn.ts';
import { MillraceError } from '../../errors.ts';
import type { ActingPolicy } from '../kind.ts';
import type { InferenceWeights } from './inference.ts';

interface Waiting<Q, A> {
  request: Q;
  resolve: (answer: A) => void;
  reject: (error: unknown) => void;
}

/** Gathers requests that wait at the same time, and has each policy answer its own together, up to `maxBatch` at once. */
export class Gathered<Q extends { lease: InferenceWeights }, A> {
  readonly #evaluate: (policy: ActingPolicy, requests: readonly Q[]) => readonly A[] | Promise<readonly A[]>;
  readonly #maxBatch: number;
  #waiting: Waiting<Q, A>[] = [];
  #running = false;

  constructor(
    maxBatch: number,
    evaluate: (policy: ActingPolicy, requests: readonly Q[]) => readonly A[] | Promise<readonly A[]>,
  ) {
    this.#maxBatch = maxBatch;
    this.#evaluate = evaluate;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  ask(request: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#waiting.length > 0) {
        // Every flow that can go on without the policy does so in this turn and joins.
        await nextTurn();
        await this.#answer(this.#take());
      }
    } finally {
      this.#running = false;
    }
  }

  /** Requests of the weights that have waited longest. */
  #take(): Waiting<Q, A>[] {
    const first = this.#waiting[0]!.request.lease;
    const taken: Waiting<Q, A>[] = [];
    const later: Waiting<Q, A>[] = [];
    for (const call of this.#waiting) {
      const { policy, version } = call.request.lease;
      const fits = policy === first.policy && version === first.version && taken.length < this.#maxBatch;
      (fits ? taken : later).push(call);
    }
    this.#waiting = later;
    return taken;
  }

  async #answer(calls: readonly Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await this.#evaluate(
        calls[0]!.request.lease.policy,
        calls.map(({ request }) => request),
      );
      if (answers.length !== calls.length)
        throw new MillraceError('internal', `a policy gave ${answers.length} answers to ${calls.length} requests`);
      calls.forEach((call, i) => call.resolve(answers[i]!));
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }
}
