import type { Plan } from '../policy/plan.ts';
import { boundedJson } from '../records/bounded-json.ts';
import type { FlowDefinition } from './define.ts';
import { isPromise } from './failure.ts';

/** What a step is recorded with of the state around it. */
interface RecordedStates {
  stateBefore: string;
  stateAfter: string;
}

/** The state of a flow at its steps, as it is stored: JSON text, and only where it changed. */
export interface States {
  /** The flow has made its plan; `before`: the step that was taken last. */
  planned(plan: Plan, before: RecordedStates | undefined): void;
  /** The step was taken, and memory has its outcome. */
  taken(step: RecordedStates): void;
}

/** The state after the last step of a flow that only shows its plans. */
const UNKNOWN = 'null';

/**
 * The states of one flow, in at most `bytes` bytes each; undefined where none are wanted. What a flow observes is an aid for people:
 * where that fails, the trajectory is as good as without.
 *
 * @param observing - runs the flow's code
 */
export function statesOf<M>(
  flow: Pick<FlowDefinition<any, M>, 'observe'>,
  memory: M,
  { bytes, observing }: { bytes: number; observing: (code: () => unknown) => unknown },
): States | undefined {
  if (bytes === 0) return undefined;
  if (flow.observe === undefined) return new ShownStates(bytes);
  // Getters of what it returns are the flow's code as well.
  return new ObservedStates(() => String(observing(() => boundedJson(observed(flow, memory), bytes))));
}

/** By the flow's `observe`. */
class ObservedStates implements States {
  readonly #observe: () => string;
  #last: string;
  #first: string;

  constructor(observe: () => string) {
    this.#observe = observe;
    this.#last = this.#first = observe();
  }

  planned(): void {}

  taken(step: RecordedStates): void {
    step.stateBefore = this.#first;
    this.#first = '';
    const now = this.#observe();
    if (now !== this.#last) step.stateAfter = this.#last = now;
  }
}

/** By what the flow's plans show. */
class ShownStates implements States {
  readonly #bytes: number;
  #last = '';
  #first = '';

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  planned({ text, flags, items }: Plan, before: RecordedStates | undefined): void {
    const now = boundedJson({ text, flags, items }, this.#bytes);
    if (before === undefined) this.#first = now;
    // Until here it was not known what came after.
    else before.stateAfter = now === this.#last ? '' : now;
    this.#last = now;
  }

  taken(step: RecordedStates): void {
    step.stateBefore = this.#first;
    this.#first = '';
    step.stateAfter = UNKNOWN;
  }
}

function observed<M>(flow: Pick<FlowDefinition<any, M>, 'observe'>, memory: M): unknown {
  try {
    const state = flow.observe!(memory);
    if (!isPromise(state)) return state;
    // Nobody waits for it; what it rejects with must not end the process.
    state.then(undefined, () => undefined);
    return '[observe returned a promise: it must return the state at once]';
  } catch (thrown) {
    return {
      get observe(): never {
        throw thrown;
      },
    };
  }
}
