import type { OwnerLedger } from './owner-ledger.ts';

/** A block whose holder has said nothing for this long is settled in full; holders renew theirs every five seconds. */
const SILENT_MS = 20_000;

/** A block that nobody renews. */
export interface SilentBlock {
  key: string;
  exchange: number;
}

/** Tells which holders have gone silent, by how long their blocks have not changed before the eyes of this process. */
export class SilentBlocks {
  /** By ledger, then by block. */
  readonly #seen = new Map<string, Map<string, { exchange: number; at: number }>>();
  readonly #silentMs: number;

  constructor(silentMs = SILENT_MS) {
    this.#silentMs = silentMs;
  }

  /** Looks at the newest ledger of an owner and month; `now` is a monotonic time in ms. */
  look({ owner, month, blocks }: Pick<OwnerLedger, 'owner' | 'month' | 'blocks'>, now: number): SilentBlock[] {
    const before = this.#seen.get(`${month} ${owner}`);
    const seen = new Map<string, { exchange: number; at: number }>();
    const silent: SilentBlock[] = [];
    for (const [key, { exchange }] of Object.entries(blocks)) {
      const known = before?.get(key);
      const at = known?.exchange === exchange ? known.at : now;
      seen.set(key, { exchange, at });
      if (now - at >= this.#silentMs) silent.push({ key, exchange });
    }
    this.#seen.set(`${month} ${owner}`, seen);
    return silent;
  }
}
