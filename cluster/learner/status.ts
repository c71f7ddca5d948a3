import type { WorkerStatus } from '../../src/actor/behaviour.ts';

/** What a learner reports of itself: its messages are the shards that it is given. */
export class LearnerStatus {
  #state: 'waiting' | 'connected' | 'stopping' = 'waiting';
  #inFlight = 0;
  #messages = 0;
  #lastError = '';

  /** A parameter server is there, or no longer. */
  connected(isConnected: boolean): void {
    if (this.#state !== 'stopping') this.#state = isConnected ? 'connected' : 'waiting';
  }

  stopping(): void {
    this.#state = 'stopping';
  }

  /** A shard is being computed; call {@link ended} after it. */
  begun(): void {
    this.#inFlight += 1;
  }

  /** A shard was answered; `error` when it failed. */
  ended(error = ''): void {
    this.#inFlight -= 1;
    this.#messages += 1;
    this.#lastError = error;
  }

  /** No parameter server could be reached. */
  failed(error: string): void {
    this.#lastError = error;
  }

  read(): WorkerStatus {
    const working = this.#inFlight > 0 ? 'busy' : 'idle';
    const waitsFor = this.#state === 'connected' ? 'shards' : 'a parameter server';
    return {
      state: this.#state === 'stopping' ? 'stopping' : working,
      inFlight: this.#inFlight,
      messages: this.#messages,
      lastError: this.#lastError,
      waitingFor: this.#inFlight > 0 || this.#state === 'stopping' ? '' : waitsFor,
    };
  }
}
