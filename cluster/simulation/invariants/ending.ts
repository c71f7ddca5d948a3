import { JobState, type Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { endedCount } from '../../../src/jobs/ledger.ts';
import { Violation } from '../observer.ts';
import type { Facts } from './facts.ts';

/** What holds of a job that has ended: it succeeded, and every request ended in exactly one way (promise 1). */
export function checkEnd(job: Job, { rounds, requestsMayFail }: { rounds: number; requestsMayFail: boolean }): void {
  if (job.state !== JobState.SUCCEEDED) throw new Violation('job-succeeds', `${JobState[job.state]}: ${job.error}`);
  const { round, ledger, requests } = job.progress!;
  if (round !== rounds) throw new Violation('all-rounds', `${round} of ${rounds} rounds are committed`);
  const ended = endedCount(ledger!);
  if (ended !== Number(requests)) throw new Violation('ledger-adds-up', `${requests} requests, ${ended} have ended`);
  if (!requestsMayFail && ledger!.failed > 0n)
    throw new Violation(
      'no-needless-failure',
      `${ledger!.failed} requests failed: ${JSON.stringify(ledger!.failedByClass, (_, value: unknown) => String(value))}`,
    );
  if (ledger!.unstored > 0n) throw new Violation('trained-is-stored', `${ledger!.unstored} groups are not in the store`);
}

/** Every trajectory that counts is in the store, once; every stored one was accepted. Call it once the writer has nothing left. */
export function checkStore(job: Job, facts: Facts): void {
  const { ledger, requests } = job.progress!;
  const stored = new Map<number, Set<string>>();
  for (const { id, sequence, purpose, valid } of facts.trajectories.values()) {
    if (purpose !== 'train') continue;
    if (sequence >= Number(requests)) throw new Violation('stored-was-accepted', `${id} is stored and was never accepted`);
    if (!valid) continue;
    const ids = stored.get(sequence) ?? new Set();
    stored.set(sequence, ids.add(id));
  }
  const valid = [...stored.values()].reduce((sum, ids) => sum + ids.size, 0);
  if (valid < Number(ledger!.trajectories))
    throw new Violation('trained-is-stored', `${ledger!.trajectories} trajectories count, ${valid} are in the store`);
  for (const [sequence, groups] of facts.scored) {
    // A request that was given up has no rows.
    const withRows = groups.filter(({ trajectoryRows }) => trajectoryRows.length > 0);
    const isMissing = withRows.length > 0 && withRows.every(({ request }) => !facts.storedRequests.has(request!.id));
    if (isMissing) throw new Violation('scored-is-stored', `request ${sequence} was scored and has no rows in the store`);
  }
}
