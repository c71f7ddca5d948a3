import { JOBS } from '../../../src/protocol/names.ts';
import type { Check, Fail } from './check.ts';
import type { Facts, RecordFacts } from './facts.ts';
import type { RoundBounds } from './commits.ts';

/** accepted − expired − failed ≤ min(η + version + 1, rounds) · B, at every write of the job's record (promise 3). */
export function admissionCheck(
  facts: Facts,
  { maxStaleness, groupsPerRound, rounds }: RoundBounds & { rounds: number },
  fail: Fail,
): Check {
  let accepted = 0;
  return {
    written({ bucket, value }) {
      if (bucket !== JOBS || value === undefined) return;
      const record = JSON.parse(new TextDecoder().decode(value)) as RecordFacts;
      if (record.accepted < accepted) fail('accepted-grows', `${accepted} requests were accepted, now ${record.accepted}`);
      if (record.accepted > accepted && record.state === 'PAUSED')
        fail('pause-admits-nothing', `${record.accepted - accepted} requests are accepted while the job is paused`);
      accepted = record.accepted;
      const { version = 0, ledger } = facts.manifest ?? {};
      const lost = Number(ledger?.expired ?? 0n) + Number(ledger?.failed ?? 0n);
      const most = Math.min(maxStaleness + version + 1, rounds) * groupsPerRound;
      if (accepted - lost > most)
        fail(
          'admission-bound',
          `${accepted} requests are accepted and ${lost} lost at version ${version}: at most ${most} may count`,
        );
    },
  };
}
