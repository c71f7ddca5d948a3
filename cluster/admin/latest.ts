/**
 * Reads `source` as fast as it comes and hands on only the newest value each time the consumer asks, so that a slow consumer
 * gets fresh values and fills no memory. The last value before the end is always handed on; errors come after it. When
 * `signal` aborts, its reason is thrown at once, even if the source does not stir.
 */
export async function* latest<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  let slot: { value: T } | undefined;
  let end: { error?: unknown } | undefined;
  let wake = (): void => {};
  const iterator = source[Symbol.asyncIterator]();
  const read = async (): Promise<void> => {
    for (let step = await iterator.next(); !step.done && !end; step = await iterator.next()) {
      slot = { value: step.value };
      wake();
    }
  };
  read().then(
    () => {
      end ??= {};
      wake();
    },
    (error: unknown) => {
      end ??= { error };
      wake();
    },
  );
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      if (signal.aborted) throw signal.reason;
      if (slot) {
        const { value } = slot;
        slot = undefined;
        yield value;
      } else if (end) {
        if ('error' in end) throw end.error;
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    end ??= {};
    // Not awaited: a source that waits for its next change ends when its signal aborts, and nobody has to wait for that.
    void iterator.return?.().then(undefined, () => {});
  }
}
