/**
 * One life of a simulated process: it runs, stands still as after SIGSTOP, or has ended as after SIGKILL. Whatever reaches the process
 * (an answer, a message, a timer) passes through its life: at once, when it goes on, or never. So a process can end between any two
 * awaits of its code, which is the same code as everywhere.
 */
export class Life {
  /** `<node>/<number of the life>`. */
  readonly id: string;
  readonly node: string;
  #state: 'running' | 'paused' | 'ended' = 'running';
  #waiting: (() => void)[] = [];
  readonly #onEnd = new Set<() => void>();

  constructor(node: string, number: number) {
    this.node = node;
    this.id = `${node}/${number}`;
  }

  get state(): 'running' | 'paused' | 'ended' {
    return this.#state;
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Takes the step now, when the process goes on, or never. */
  pass(step: () => void): void {
    if (this.#state === 'running') step();
    else if (this.#state === 'paused') this.#waiting.push(step);
  }

  /** What `work` settles to, as the process gets to know of it. */
  through<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      work.then(
        (value) => this.pass(() => resolve(value)),
        (error: Error) => this.pass(() => reject(error)),
      );
    });
  }

  /** Resolves when the process runs: now, later, or never. */
  running(): Promise<void> {
    return new Promise((resolve) => this.pass(resolve));
  }

  /** The process stands still. */
  pause(): void {
    if (this.#state === 'running') this.#state = 'paused';
  }

  /** It goes on, with all that came meanwhile, in order. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const step of waiting) this.pass(step);
  }

  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#waiting = [];
    for (const ended of [...this.#onEnd]) ended();
    this.#onEnd.clear();
  }

  /** Calls back when it ends; returns a function that takes this back. */
  onEnd(ended: () => void): () => void {
    this.#onEnd.add(ended);
    return () => this.#onEnd.delete(ended);
  }
}
