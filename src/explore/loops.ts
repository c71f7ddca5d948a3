/** Which actions a flow has taken in which situation. Situations and actions are told apart by any keys. */
export class LoopMemory<A extends number | string> {
  readonly #taken = new Map<number | string, Set<A>>();

  /** The actions taken in this very situation before. */
  taken(situation: number | string): ReadonlySet<A> {
    return this.#taken.get(situation) ?? NONE;
  }

  /** Notes that `action` is taken in `situation`. */
  take(situation: number | string, action: A): void {
    const taken = this.#taken.get(situation);
    if (taken === undefined) this.#taken.set(situation, new Set([action]));
    else taken.add(action);
  }
}

const NONE: ReadonlySet<never> = new Set<never>();
