/**
 * Gives way to the event loop. Whatever yields for fairness rather than for time uses this, so that a VirtualClock knows
 * that work is still going on and does not advance time meanwhile.
 */
export function nextTurn(): Promise<void> {
  pending += 1;
  return new Promise((resolve) => {
    setImmediate(() => {
      pending -= 1;
      resolve();
    });
  });
}

/** How many `nextTurn` calls have not resolved yet, in the whole process. */
export function pendingTurns(): number {
  return pending;
}

/** Resolves when all that goes on without time has ended: after a turn in which no `nextTurn` call of the process waits. */
export async function turnsTaken(): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (pending > 0);
}

let pending = 0;
