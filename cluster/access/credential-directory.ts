import type { CredentialSource } from '../../src/access/authenticator.ts';
import type { Credential } from '../../src/access/credential.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import { CREDENTIALS } from '../../src/protocol/names.ts';
import { CredentialStore, readable } from './credential-store.ts';

/** How often the whole bucket is read, which also finds what a watch has missed, and a watch that could not be opened. */
const READ_MS = 5_000;
/** What was read longer ago is not believed: a node that has lost NATS lets nobody in by name. */
export const MOST_AGE_MS = 30_000;

/**
 * What a node knows of the named credentials. Changes come by a watch, in less than a second; besides everything is read every 5 s. Nobody waits for it at
 * the start of a node, since tokens of files work without.
 */
export class CredentialDirectory implements CredentialSource {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #store: CredentialStore;
  readonly #byName = new Map<string, Credential>();
  readonly #byHash = new Map<string, Credential>();
  readonly #listeners = new Set<() => void>();
  /** Monotonic time of the last whole reading. */
  #readAt = -Infinity;
  /** Grows with every change that the watch tells. */
  #changes = 0;
  #stopWatch: (() => void) | undefined;
  readonly #stopReading: () => void;
  #closed = false;

  constructor({ bus, clock }: { bus: Bus; clock: Clock }) {
    this.#bus = bus;
    this.#clock = clock;
    this.#store = new CredentialStore(bus);
    this.#stopReading = clock.every(READ_MS, () => this.#look());
    void this.#look();
  }

  byHash(sha256: string): Credential | undefined {
    this.#checkAge();
    return this.#byHash.get(sha256);
  }

  byName(name: string): Credential | undefined {
    this.#checkAge();
    return this.#byName.get(name);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    this.#stopReading();
    this.#stopWatch?.();
    this.#listeners.clear();
  }

  /** Reads everything and, the first time that NATS answers, begins to watch. Tells the listeners, also of time that has passed. */
  async #look(): Promise<void> {
    try {
      this.#stopWatch ??= await this.#watch();
      const [readAt, changes] = [this.#clock.monotonic(), this.#changes];
      const all = await this.#store.list();
      // The watch knows better than what was read while it told something.
      if (changes === this.#changes) this.#setAll(all);
      this.#readAt = readAt;
    } catch {
      // What is known ages until NATS answers.
    }
    if (this.#closed) this.#stopWatch?.();
    this.#tell();
  }

  #watch(): Promise<() => void> {
    return this.#bus.kv(CREDENTIALS).watch('>', ({ key, value }) => {
      this.#changes += 1;
      this.#set(key, readable(value, key));
      this.#tell();
    });
  }

  #setAll(all: readonly Credential[]): void {
    const names = new Set(all.map(({ name }) => name));
    for (const name of this.#byName.keys()) if (!names.has(name)) this.#set(name, undefined);
    for (const credential of all) this.#set(credential.name, credential);
  }

  #set(name: string, credential: Credential | undefined): void {
    for (const { sha256 } of this.#byName.get(name)?.tokens ?? []) this.#byHash.delete(sha256);
    this.#byName.delete(name);
    if (credential === undefined) return;
    this.#byName.set(name, credential);
    for (const { sha256 } of credential.tokens) this.#byHash.set(sha256, credential);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #checkAge(): void {
    if (this.#clock.monotonic() - this.#readAt <= MOST_AGE_MS) return;
    throw new MillraceError(
      'unavailable',
      'Named credentials cannot be checked here at the moment: this node does not reach NATS. Try again.',
    );
  }
}
