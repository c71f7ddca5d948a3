import { currentActivity, type ActivityLabel } from '../../src/clock/activity.ts';

/**
 * Makes `process.exit` throw where the code of a flow calls it: a tool must not end the process of everybody else.
 * @param called - told whose code called it, before it throws
 * @returns puts `process.exit` back
 */
export function guardExit(
  called: (label: ActivityLabel, code: string | number | null | undefined) => void = () => undefined,
): () => void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its process, and put back as it was
  const { exit } = process;
  process.exit = (code) => {
    const label = currentActivity()?.label;
    if (label === undefined) return exit.call(process, code);
    called(label, code);
    throw new Error(`called process.exit(${code ?? ''}); throw an error instead`);
  };
  return () => (process.exit = exit);
}
