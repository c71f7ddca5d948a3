import { nextTurn } from '../../src/clock/turn.ts';

/**
 * Calls back at each rejection that nobody handles: it would end the process of a real node.
 *
 * @returns what stops listening, once those of the last turn have been heard
 */
export function onUnhandledRejection(heard: (thrown: unknown) => void): () => Promise<void> {
  process.on('unhandledRejection', heard);
  return async () => {
    await nextTurn();
    process.off('unhandledRejection', heard);
  };
}
