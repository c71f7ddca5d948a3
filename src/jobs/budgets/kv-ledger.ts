import type { KeyValue, KeyValueEntry } from '../../bus/bus.ts';
import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import type { BudgetLedger, BudgetSettings } from './budget-ledger.ts';
import { decodeSettings, DEFAULT_SETTINGS, encodeSettings } from './budget-settings.ts';
import { isMonth, type Month } from './month.ts';
import { decodeOwnerLedger, emptyOwnerLedger, encodeOwnerLedger, type OwnerLedger } from './owner-ledger.ts';

const MAX_ATTEMPTS = 40;
/** Pause after an attempt that another writer, or a server that is away, has foiled. */
const AGAIN_MS = 20;
const SETTINGS_KEY = 'settings';

/** Keys admit few characters, and owners are people's words: each is written as the digits of its UTF-8. */
const inKey = (owner: string): string => `o${Array.from(new TextEncoder().encode(owner), hex).join('')}`;
const hex = (byte: number): string => byte.toString(16).padStart(2, '0');

function fromKey(token: string): string {
  const bytes = token.slice(1).match(/../g) ?? [];
  return new TextDecoder().decode(Uint8Array.from(bytes, (digits) => Number.parseInt(digits, 16)));
}

const ledgerKey = (owner: string, month: Month): string => `ledger.${month}.${inKey(owner)}`;
const limitKey = (owner: string): string => `limit.${inKey(owner)}`;

/** Ledgers in a bucket: one entry for each owner and month. */
export class KvLedger implements BudgetLedger {
  readonly #kv: KeyValue;
  readonly #clock: Clock;

  constructor(kv: KeyValue, clock: Clock) {
    this.#kv = kv;
    this.#clock = clock;
  }

  async read(owner: string, month: Month): Promise<OwnerLedger> {
    return ledgerIn(await this.#kv.get(ledgerKey(owner, month)), { owner, month });
  }

  async change(owner: string, month: Month, change: (ledger: OwnerLedger) => OwnerLedger | undefined): Promise<OwnerLedger> {
    const key = ledgerKey(owner, month);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const entry = await this.#kv.get(key);
        const before = ledgerIn(entry, { owner, month });
        const after = change(before);
        if (after === undefined || after === before) return before;
        await this.#write(key, encodeOwnerLedger(after), entry);
        return after;
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        const again = error.code === 'aborted' || error.code === 'already_exists' || error.retryable;
        if (!again || attempt === MAX_ATTEMPTS) throw error;
        await this.#clock.sleep(AGAIN_MS);
      }
    }
  }

  async list(month: Month): Promise<OwnerLedger[]> {
    const ledgers: OwnerLedger[] = [];
    for (const key of await this.#kv.keys(`ledger.${month}.*`)) {
      const place = placeOf(key);
      const entry = place && (await this.#kv.get(key));
      const ledger = entry && readable(entry.value, place);
      if (ledger) ledgers.push(ledger);
    }
    return ledgers.sort((a, b) => (a.owner < b.owner ? -1 : 1));
  }

  async limit(owner: string): Promise<number | undefined> {
    return limitIn(await this.#kv.get(limitKey(owner)));
  }

  async limits(): Promise<Readonly<Record<string, number>>> {
    const limits: Record<string, number> = {};
    for (const key of await this.#kv.keys('limit.*')) {
      const limit = limitIn(await this.#kv.get(key));
      if (limit !== undefined) limits[fromKey(key.split('.')[1] ?? '')] = limit;
    }
    return limits;
  }

  async setLimit(owner: string, microDollars: number): Promise<void> {
    await this.#kv.put(limitKey(owner), new TextEncoder().encode(JSON.stringify({ microDollars })));
  }

  async settings(): Promise<BudgetSettings> {
    const entry = await this.#kv.get(SETTINGS_KEY);
    return entry === undefined ? DEFAULT_SETTINGS : decodeSettings(entry.value);
  }

  async putSettings(settings: BudgetSettings): Promise<void> {
    await this.#kv.put(SETTINGS_KEY, encodeSettings(settings));
  }

  /** Tells of settings that cannot be read, now and from now on. Returns a function that stops it. */
  watchSettings(onUnreadable: () => void): Promise<() => void> {
    return this.#kv.watch(SETTINGS_KEY, ({ value }) => {
      try {
        if (value) decodeSettings(value);
      } catch {
        onUnreadable();
      }
    });
  }

  watch(handler: (ledger: OwnerLedger) => void): Promise<() => void> {
    return this.#kv.watch('ledger.>', ({ key, value }) => {
      const place = placeOf(key);
      if (place === undefined) return;
      const ledger = readable(value, place);
      if (ledger !== undefined) handler(ledger);
    });
  }

  #write(key: string, value: Uint8Array, entry: KeyValueEntry | undefined): Promise<number> {
    return entry === undefined ? this.#kv.create(key, value) : this.#kv.update(key, value, entry.revision);
  }
}

/** Reads a value of the bucket. Throws `data_loss` when it is none of ours. */
export function readBudgetEntry(value: Uint8Array, key: string): unknown {
  const place = placeOf(key);
  if (place !== undefined) return decodeOwnerLedger(value, place);
  if (key === SETTINGS_KEY) return decodeSettings(value);
  const limit = key.startsWith('limit.') ? limitIn({ value }) : undefined;
  if (limit === undefined) throw new MillraceError('data_loss', 'it is no entry of a budget (truncated, or something else)');
  return limit;
}

interface Place {
  owner: string;
  month: Month;
}

/** Undefined for a key that is no ledger's. */
function placeOf(key: string): Place | undefined {
  const [kind, month = '', owner = ''] = key.split('.');
  return kind === 'ledger' && isMonth(month) ? { month, owner: fromKey(owner) } : undefined;
}

function ledgerIn(entry: KeyValueEntry | undefined, place: Place): OwnerLedger {
  return entry === undefined ? emptyOwnerLedger(place.owner, place.month) : decodeOwnerLedger(entry.value, place);
}

function readable(value: Uint8Array | undefined, place: Place): OwnerLedger | undefined {
  if (value === undefined) return emptyOwnerLedger(place.owner, place.month);
  try {
    return decodeOwnerLedger(value, place);
  } catch {
    return undefined;
  }
}

/** A limit that cannot be read is none: the configured one holds. */
function limitIn(entry: Pick<KeyValueEntry, 'value'> | undefined): number | undefined {
  if (entry === undefined) return undefined;
  try {
    const { microDollars } = JSON.parse(new TextDecoder().decode(entry.value)) as { microDollars?: unknown };
    return typeof microDollars === 'number' && Number.isSafeInteger(microDollars) && microDollars >= 0 ? microDollars : undefined;
  } catch {
    return undefined;
  }
}
