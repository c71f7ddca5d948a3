import { systemClock } from '../../src/clock/system.ts';
import { RetryGate } from '../../src/flow/retry-gate.ts';
import { systemRandom } from '../../src/random/seeded.ts';
import type { CliContext } from './context.ts';

/** Where calls wait that threw RetryLater, for as long as it takes; says so. */
export function waitingRetryGate({ note, signal }: Pick<CliContext, 'note' | 'signal'>): RetryGate {
  let said = false;
  const gate: RetryGate = new RetryGate({
    clock: systemClock,
    random: systemRandom(),
    patienceMs: Infinity,
    onChange() {
      const { hold, waiting } = gate;
      if (waiting === 0 && said) note('all calls are answered again');
      if (waiting > 0 && !said) note(`waiting for ${hold?.source} to answer again: ${hold?.reason}`);
      said = waiting > 0;
    },
  });
  signal.addEventListener('abort', () => gate.close(), { once: true });
  return gate;
}
