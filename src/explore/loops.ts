/** Which actions a flow has taken in which situation. Situations are told apart by any key; actions by their index there. */
export class LoopMemory {
  readonly #taken = new Map<number | string, Set<number>>();

  /** The actions taken in this very situation before. */
  taken(situation: number | string): ReadonlySet<number> {
    return this.#taken.get(situation) ?? NONE;
  }

  /** Notes that `action` is taken in `situation`. */
  take(situation: number | string, action: number): void {
    const taken = this.#taken.get(situation);
    if (taken === undefined) this.#taken.set(situation, new Set([action]));
    else taken.add(action);
  }
}

const NONE: ReadonlySet<number> = new Set();
