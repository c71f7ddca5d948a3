import { LEASES } from '../../../src/protocol/names.ts';
import type { World } from '../world.ts';
import type { Check, Fail } from './check.ts';

/** How long a process may take to end its actor once another one has the lease, in ms: clocks drift by less than that in a lease's life. */
const SLACK_MS = 1_000;
/** How long owners may take to learn that their leases are gone, in ms. */
const UNAWARE_MS = 15_000;
/** Role whose actor works under a lease, by the first part of the lease's key. */
const ROLES: Readonly<Record<string, string>> = { job: 'coordinator', trainer: 'parameter-server' };

/**
 * One owner at a time: a process that lost a lease stops soon after another one has taken it (promise 1).
 *
 * @param working - lives in which an actor of the role works for the job
 */
export function ownerCheck({ clock }: World, working: (role: string, job: string) => string[], fail: Fail): Check {
  const owners = new Map<string, string>();
  let lostAt = -Infinity;
  return {
    lost({ stream }) {
      if (stream === LEASES) lostAt = clock.monotonic();
    },
    written({ bucket, key, value }) {
      if (bucket !== LEASES || !value) return;
      const owner = Buffer.from(value).toString();
      const before = owners.get(key);
      owners.set(key, owner);
      if (before === undefined || before === owner) return;
      // Who had a lease of a bucket that was deleted learns of it at its next renewal.
      if (clock.monotonic() - lostAt < UNAWARE_MS) return;
      const [purpose = '', job = ''] = key.split('.');
      clock.after(SLACK_MS, () => {
        const lives = working(ROLES[purpose] ?? '', job);
        if (lives.length > 1) fail('one-owner', `${lives.join(' and ')} work for ${job}, and only one has the lease ${key}`);
      });
    },
  };
}
