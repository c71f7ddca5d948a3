/**
 * Runs a listener that belongs to someone else. What it throws must not stop the bus, nor vanish: it surfaces as an
 * uncaught exception of the process.
 */
export function runCallback(fn: () => void): void {
  try {
    fn();
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}

/** How long a message waits for its next delivery after its handler threw, in ms: 250, 500, ... 30_000. */
export function retryDelayMs(deliveryCount: number): number {
  return Math.min(30_000, 250 * 2 ** Math.min(deliveryCount - 1, 10));
}
