import { encodeProgress, type DispatchProgress } from '../../src/protocol/progress.ts';
import { waitingSubject } from '../../src/protocol/subjects.ts';
import type { NodeContext } from '../runtime/context.ts';

/** What has not changed is told this often, for those who begin to listen, in ms. */
const REPEAT_MS = 1_000;

/** Tells what a job waits for: at once when it changes, and once a second otherwise. */
export class DispatchTeller {
  readonly #context: Pick<NodeContext, 'bus' | 'clock'>;
  readonly #subject: string;
  #told = Buffer.alloc(0);
  #toldAt = -Infinity;

  constructor(context: Pick<NodeContext, 'bus' | 'clock'>, job: string) {
    this.#context = context;
    this.#subject = waitingSubject(job);
  }

  tell(progress: DispatchProgress): void {
    const { bus, clock } = this.#context;
    const encoded = Buffer.from(encodeProgress(progress));
    const now = clock.monotonic();
    if (encoded.equals(this.#told) && now - this.#toldAt < REPEAT_MS) return;
    this.#told = encoded;
    this.#toldAt = now;
    bus.emit(this.#subject, encoded);
  }
}
