/** Automata over bytes: which tokens go on with a text that a pattern describes. */
import { MillraceError } from '../../errors.ts';
import type { Constraint, ConstraintState } from './constraint.ts';
import type { TokenBytes } from './token-bytes.ts';

/** Number of a state of a {@link Pattern}. */
export type StateId = number;

/** The state in which a text is whole. */
export const END: StateId = 0;

/** Most states: a description that takes more is refused, for each takes memory. */
const MOST_STATES = 100_000;

/** A nondeterministic automaton, built from its end: each state is made of those that come after it. */
export class Pattern {
  readonly #edges: { from: number; to: number; next: StateId }[][] = [[]];
  readonly #free: StateId[][] = [[]];

  /** One byte of a range, then `next`. */
  range(from: number, to: number, next: StateId): StateId {
    const state = this.#add();
    this.#edges[state]!.push({ from, to, next });
    return state;
  }

  /** These bytes, then `next`. */
  literal(text: string, next: StateId): StateId {
    return [...Buffer.from(text)].reduceRight((after, byte) => this.range(byte, byte, after), next);
  }

  /** Any of these. */
  either(...states: readonly StateId[]): StateId {
    const state = this.#add();
    this.#free[state]!.push(...states);
    return state;
  }

  /** `part` as often as wanted, then `next`. */
  repeat(part: (next: StateId) => StateId, next: StateId): StateId {
    const state = this.either(next);
    this.#free[state]!.push(part(state));
    return state;
  }

  /** All states that are reached without a byte, ascending. */
  closure(states: Iterable<StateId>): StateId[] {
    const reached = new Set<StateId>();
    const open = [...states];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (reached.has(state)) continue;
      reached.add(state);
      open.push(...this.#free[state]!);
    }
    return [...reached].sort((a, b) => a - b);
  }

  /** States after a byte. */
  after(states: readonly StateId[], byte: number): StateId[] {
    return this.closure(
      states.flatMap((state) => this.#edges[state]!.filter(({ from, to }) => byte >= from && byte <= to).map(({ next }) => next)),
    );
  }

  #add(): StateId {
    if (this.#edges.length >= MOST_STATES) {
      throw new MillraceError('invalid_argument', 'schema: it describes too much; give its texts and arrays smaller bounds', {
        field: 'schema',
      });
    }
    this.#free.push([]);
    return this.#edges.push([]) - 1;
  }
}

/** A state of the deterministic automaton, made when it is first reached. */
interface Place {
  states: readonly StateId[];
  /** By byte; null: no text goes on so. */
  after: (Place | null | undefined)[];
  allowed?: Uint32Array;
}

/** Texts that a pattern describes, written with any tokens that spell them. */
export function patternConstraint(pattern: Pattern, start: StateId, tokens: TokenBytes): Constraint {
  const places = new Map<string, Place>();
  const placeOf = (states: readonly StateId[]): Place => {
    const key = states.join();
    let place = places.get(key);
    if (!place) places.set(key, (place = { states, after: [] }));
    return place;
  };
  const step = (place: Place, byte: number): Place | null => {
    let next = place.after[byte];
    if (next === undefined) {
      const states = pattern.after(place.states, byte);
      next = place.after[byte] = states.length === 0 ? null : placeOf(states);
    }
    return next;
  };
  const stateOf = (place: Place): ConstraintState => ({
    get allowed() {
      return (place.allowed ??= allowedAt(place, tokens, step));
    },
    mayEnd: place.states.includes(END),
    next(token) {
      let next: Place | null = place;
      for (const byte of tokens.of.get(token) ?? [256]) next &&= step(next, byte);
      if (next !== null) return stateOf(next);
      throw new MillraceError('invalid_argument', `the constraint does not go on with token ${token}`, { field: 'constraint' });
    },
  });
  return { start: stateOf(placeOf(pattern.closure([start]))) };
}

/** Visits the tokens in byte order, so that a shared prefix is matched only once. */
function allowedAt(
  start: Place,
  { ids, bytes, shared }: TokenBytes,
  step: (place: Place, byte: number) => Place | null,
): Uint32Array {
  const found: number[] = [];
  // Places after 0, 1, 2, ... bytes of the present token.
  const path: Place[] = [start];
  for (let index = 0; index < ids.length; index++) {
    const token = bytes[index]!;
    // The token before it went no further than its path: neither does one that begins like it.
    if (path.length <= shared[index]!) continue;
    path.length = shared[index]! + 1;
    while (path.length <= token.length) {
      const next = step(path.at(-1)!, token[path.length - 1]!);
      if (next === null) break;
      path.push(next);
    }
    if (path.length > token.length) found.push(ids[index]!);
  }
  return Uint32Array.from(found).sort();
}
