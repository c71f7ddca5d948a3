import { hasEnded } from '../../src/jobs/ledger.ts';
import type { MemoryStore } from '../../src/store/memory-store.ts';
import type { CountStored } from '../coordinator/unstored-groups.ts';

/** Counts in the rows of the in-memory store what `countStored` asks ClickHouse for. */
export function countIn(store: MemoryStore): CountStored {
  return (job, ledger) => {
    const members = new Map<string, number>();
    const used = new Set<number>();
    for (const { job: of, purpose, valid, sequence, request_id: request } of store.rows('trajectories')) {
      if (of !== job || purpose !== 'train' || !valid || !hasEnded(ledger, Number(sequence))) continue;
      const count = (members.get(String(request)) ?? 0) + 1;
      members.set(String(request), count);
      if (count >= 2) used.add(Number(sequence));
    }
    return Promise.resolve(used.size);
  };
}
