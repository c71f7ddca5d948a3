import { DeficitRoundRobin } from './round-robin.ts';

/** What a job could make use of. */
export interface Demand {
  job: string;
  /** Share relative to that of other jobs, above 0. */
  weight: number;
  /** Requests that it would have under way if it were alone. */
  wanted: number;
}

/**
 * Shares out `capacity` requests by weight: what one job does not want goes to the others. Every job that wants any gets at least
 * one, also where that is more than there is: with nothing under way it could not get on.
 */
export function shareOut(capacity: number, demands: readonly Demand[]): ReadonlyMap<string, number> {
  const wanting = demands.filter(({ wanted }) => wanted > 0).sort((a, b) => (a.job < b.job ? -1 : 1));
  const shares = new Map(wanting.map(({ job }) => [job, 0]));
  let left = capacity;
  // Whole shares by weight first, the rest by turns: capacity may be in the thousands.
  for (let open = wanting; left > 0 && open.length > 0;) {
    open = open.filter(({ job, wanted }) => shares.get(job)! < wanted);
    const weights = open.reduce((sum, { weight }) => sum + weight, 0);
    let given = 0;
    for (const { job, weight, wanted } of open) {
      const has = shares.get(job)!;
      const more = Math.min(wanted - has, Math.floor((left * weight) / weights));
      shares.set(job, has + more);
      given += more;
    }
    left -= given;
    if (given > 0) continue;
    const turns = new DeficitRoundRobin<string>();
    for (; left > 0 && open.length > 0; left -= 1) {
      const job = turns.next(open.map(({ job: key, weight }) => ({ key, weight, cost: 1 })))!;
      shares.set(job, shares.get(job)! + 1);
      open = open.filter((demand) => shares.get(demand.job)! < demand.wanted);
    }
  }
  for (const [job, share] of shares) if (share === 0) shares.set(job, 1);
  return shares;
}
