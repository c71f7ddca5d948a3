import { JobState, type Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { endedCount } from '../../../src/jobs/ledger.ts';
import type { MemoryServer } from '../../../src/bus/memory/server.ts';
import { jobDurable, WORK_DURABLES } from '../../../src/protocol/durables.ts';
import { SCORED } from '../../../src/protocol/names.ts';
import { Violation } from '../observer.ts';
import type { Facts } from './facts.ts';

/** Rewards travel as 32-bit floats. */
const TOLERANCE = 1e-5;

/** What is expected of the end of a run. */
export interface EndOptions {
  rounds: number;
  requestsMayFail: boolean;
  rowsMayBeLost: boolean;
  /** Somebody has cancelled the job. */
  cancelled: boolean;
}

/** What holds of a job that has ended: it succeeded unless it was cancelled, and every request ended in exactly one way (promise 1). */
export function checkEnd(job: Job, { rounds, requestsMayFail, rowsMayBeLost, cancelled }: EndOptions): void {
  if (job.state === JobState.CANCELLED && cancelled) return;
  if (job.state !== JobState.SUCCEEDED) throw new Violation('job-succeeds', `${JobState[job.state]}: ${job.error}`);
  const { round, ledger, requests } = job.progress!;
  if (round !== rounds) throw new Violation('all-rounds', `${round} of ${rounds} rounds are committed`);
  if (!job.evaluations.some(({ name, policyVersion }) => name === 'trained' && policyVersion === rounds))
    throw new Violation('last-version-is-evaluated', `version ${rounds} was not evaluated`);
  const ended = endedCount(ledger!);
  if (ended !== Number(requests)) throw new Violation('ledger-adds-up', `${requests} requests, ${ended} have ended`);
  if (!requestsMayFail && ledger!.failed > 0n)
    throw new Violation(
      'no-needless-failure',
      `${ledger!.failed} requests failed: ${JSON.stringify(ledger!.failedByClass, (_, value: unknown) => String(value))}`,
    );
  if (ledger!.unstored > 0n && !rowsMayBeLost)
    throw new Violation('trained-is-stored', `${ledger!.unstored} groups are not in the store`);
}

/**
 * A job that has ended leaves nothing behind: its ledger adds up for good, and its queues and durables are gone.
 *
 * @param mayBeMadeAgain - somebody who did not know yet that the job had ended may have made a durable again
 */
export function checkLeftovers({ record, manifest }: Facts, server: MemoryServer, mayBeMadeAgain: boolean): void {
  const { accepted, unsettled } = record!;
  if (unsettled.length > 0) throw new Violation('end-is-settled', `${unsettled.join(' and ')} of the job are not settled`);
  const ended = manifest?.ledger ? endedCount(manifest.ledger) : 0;
  if (manifest && ended !== accepted) throw new Violation('ledger-adds-up', `${accepted} requests, ${ended} have ended`);
  // Not what the streams hold: a server that was killed may have settled messages again, and gives them to nobody.
  const left = WORK_DURABLES.flatMap(({ stream, durable }) => {
    const { pending = 0, ackPending = 0 } = server.durableState(stream, durable) ?? {};
    return pending + ackPending > 0 ? [`${pending + ackPending} messages of durable ${durable}`] : [];
  });
  const durables = server.durablesOf(SCORED).filter(({ durable }) => jobDurable(durable)?.job === 'job');
  if (!mayBeMadeAgain) left.push(...durables.map(({ durable }) => `durable ${durable}`));
  if (left.length > 0) throw new Violation('nothing-is-left', `the job has ended and left ${left.join(', ')}`);
}

/** The history of a job is in the store: a row for each version and each evaluation that its record knows. */
export function checkHistory({ record, manifest, updates, evaluations, eventsLost }: Facts): void {
  if (eventsLost) return;
  const version = Array.from({ length: manifest?.version ?? 0 }, (_, i) => i + 1).find((one) => !updates.has(one));
  if (version !== undefined) throw new Violation('history-is-stored', `version ${version} has no row in updates`);
  const missing = record!.evaluations.find(({ name, policyVersion }) => !evaluations.has(`${name}@${policyVersion}`));
  if (missing) throw new Violation('history-is-stored', `evaluation ${missing.name}@${missing.policyVersion} has no row`);
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
  const scores = new Map<string, number[]>();
  for (const { request, scores: members } of [...facts.scored.values()].flat())
    for (const [i, { valid, reward }] of members.entries())
      if (valid) scores.set(`${request!.id}:${i}`, [...(scores.get(`${request!.id}:${i}`) ?? []), reward]);
  for (const { id, reward, valid, purpose } of facts.trajectories.values()) {
    if (purpose !== 'train' || !valid || scores.get(id)?.some((score) => Math.abs(score - reward) < TOLERANCE)) continue;
    throw new Violation(
      'stored-as-scored',
      `${id} is stored with reward ${reward}; its scores are ${scores.get(id)?.join(', ')}`,
    );
  }
  // What was lost with SCORED is counted as unstored.
  if (facts.rowsLost) return;
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
