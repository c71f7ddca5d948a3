import { LEASES } from './names.ts';
import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import type { Bus, KeyValue } from '../bus/bus.ts';
import { randomId } from '../random/id.ts';
import type { Random } from '../random/random.ts';

/** What {@link acquireLease} works with. */
export interface LeasePorts {
  bus: Bus;
  clock: Clock;
  /** Draws the id by which the owner knows its own value again. */
  random: Random;
}

/** Options of {@link acquireLease}. */
export interface LeaseOptions {
  /** Who takes it, e.g. the id of a node. */
  owner: string;
  /** How long the lease outlives its last confirmed renewal; at most the TTL of the bucket. Default: that TTL. */
  ttlMs?: number;
  /** Releases the lease when aborted. */
  signal?: AbortSignal;
}

/** A right that one owner has at a time. */
export interface Lease {
  readonly key: string;
  /**
   * Fencing token: greater for every later owner of the key, unless the bucket was lost and made again. Writes carry it, and whoever
   * stores them refuses a smaller one than it has seen.
   */
  readonly token: number;
  /** False from the moment the lease is lost or released. */
  readonly held: boolean;
  /** Resolves when the lease is lost or released: stop at once what it protects. */
  readonly lost: Promise<void>;
  /** Gives it up, so that others need not wait for its expiry. */
  release(): Promise<void>;
}

/** Version of a lease's value; absent before there was one. */
const LEASE_FORMAT = 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Takes the lease `key` in the bucket `leases` if nobody has it; undefined if somebody does. It is renewed at every third of
 * its TTL or a little sooner; it is lost at the first renewal that finds another value, and when a whole TTL went by, counted from before
 * the request, without one that was confirmed. So the owner always stops before the server lets another one in.
 */
export async function acquireLease(
  { bus, clock, random }: LeasePorts,
  key: string,
  { owner, ttlMs: asked, signal }: LeaseOptions,
): Promise<Lease | undefined> {
  const bucket = bus.kv(LEASES);
  const ttlMs = asked ?? bucket.ttlMs;
  if (!(ttlMs > 0) || (bucket.ttlMs > 0 && ttlMs > bucket.ttlMs)) {
    throw new MillraceError('invalid_argument', `a lease lives between 1 and ${bucket.ttlMs} ms, not ${ttlMs}`, {
      field: 'ttlMs',
    });
  }
  if (signal?.aborted === true) throw new MillraceError('cancelled', `taking the lease ${key} was cancelled`);
  const value = encoder.encode(JSON.stringify({ format: LEASE_FORMAT, owner, id: randomId(random) }));
  const askedAt = clock.monotonic();
  try {
    const token = await bucket.create(key, value);
    return new HeldLease({ bucket, clock, key, value, token, ttlMs, signal }, askedAt);
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    if (error.code === 'already_exists' || error.code === 'aborted') return undefined;
    throw error;
  }
}

/** Who holds the lease now, if anyone. Whatever lies under its key keeps it from others until it expires. */
export async function leaseOwner(bus: Bus, key: string): Promise<{ owner: string; token: number } | undefined> {
  const entry = await bus.kv(LEASES).get(key);
  return entry && { owner: decodeLease(entry.value), token: entry.revision };
}

/**
 * The owner in the value of a lease.
 *
 * @throws MillraceError `failed_precondition` when a newer version wrote it, `data_loss` when it is none.
 */
export function decodeLease(value: Uint8Array): string {
  let lease: { format?: unknown; owner?: unknown } | null;
  try {
    lease = JSON.parse(decoder.decode(value)) as typeof lease;
  } catch (cause) {
    throw new MillraceError('data_loss', 'it is not JSON (truncated, or something else)', { cause });
  }
  if (typeof lease?.format === 'number' && lease.format > LEASE_FORMAT) {
    const versions = `format ${lease.format}; this version reads ${LEASE_FORMAT}`;
    throw new MillraceError('failed_precondition', `a newer version of Millrace wrote it (${versions}): upgrade`);
  }
  if (typeof lease?.owner !== 'string') throw new MillraceError('data_loss', 'it is no lease: it names no owner');
  return lease.owner;
}

/** What a lease that was taken consists of. */
interface TakenLease {
  bucket: KeyValue;
  clock: Clock;
  key: string;
  value: Uint8Array;
  token: number;
  ttlMs: number;
  signal: AbortSignal | undefined;
}

class HeldLease implements Lease {
  readonly key: string;
  readonly token: number;
  readonly lost: Promise<void>;
  private readonly bucket: KeyValue;
  private readonly clock: Clock;
  private readonly value: Uint8Array;
  private readonly ttlMs: number;
  private readonly ended = new AbortController();
  private resolveLost!: () => void;
  /** Newest revision; renewals move it on. */
  private revision: number;
  private renewing: Promise<void> | undefined;

  constructor({ bucket, clock, key, value, token, ttlMs, signal }: TakenLease, confirmedAt: number) {
    this.bucket = bucket;
    this.clock = clock;
    this.key = key;
    this.value = value;
    this.token = token;
    this.revision = token;
    this.ttlMs = ttlMs;
    this.lost = new Promise((resolve) => (this.resolveLost = resolve));
    void this.keep(confirmedAt);
    const onAbort = (): void => void this.release().catch(() => {});
    signal?.addEventListener('abort', onAbort, { once: true });
    void this.lost.then(() => signal?.removeEventListener('abort', onAbort));
    if (signal?.aborted === true) onAbort();
  }

  get held(): boolean {
    return !this.ended.signal.aborted;
  }

  async release(): Promise<void> {
    if (!this.held) return;
    this.end();
    // A renewal under way would make the revision wrong.
    await this.renewing;
    await this.bucket.delete(this.key, this.revision).catch((thrown: unknown) => {
      // Expired or taken over: it is not ours to delete.
      if (MillraceError.from(thrown).code !== 'aborted') throw thrown;
    });
  }

  private end(): void {
    this.ended.abort();
    this.resolveLost();
  }

  private async keep(firstConfirmedAt: number): Promise<void> {
    let confirmedAt = firstConfirmedAt;
    const { signal } = this.ended;
    const pause = (ms: number): Promise<void> => this.clock.sleep(Math.max(0, ms), signal).catch(() => {});
    while (this.held) {
      await pause(this.dueAfter(confirmedAt) - this.clock.monotonic());
      while (this.held) {
        const askedAt = this.clock.monotonic();
        if (askedAt >= confirmedAt + this.ttlMs) return this.end();
        const outcome = await Promise.race([this.renew(), pause(confirmedAt + this.ttlMs - askedAt).then(() => 'late' as const)]);
        if (!this.held) return;
        if (outcome === 'renewed') {
          confirmedAt = askedAt;
          break;
        }
        if (outcome !== 'unknown') return this.end();
        // Nobody answered; there may be time for another try.
        await pause(this.ttlMs / 10);
      }
    }
  }

  /** After a third of the TTL or up to a tenth of it sooner: the renewals of a process come together and share its writes to the socket. */
  private dueAfter(confirmedAt: number): number {
    const tick = this.ttlMs / 10;
    return Math.floor((confirmedAt + this.ttlMs / 3) / tick) * tick;
  }

  /** `unknown`: no answer, so it may or may not have gone through. */
  private renew(): Promise<'renewed' | 'refused' | 'unknown'> {
    const renewal = this.renewOnce().catch((thrown: unknown) => {
      const { code, retryable } = MillraceError.from(thrown);
      // Written meanwhile, perhaps by an earlier try of ours that nobody answered: the next try sees whose value it is.
      return code === 'aborted' || retryable ? ('unknown' as const) : ('refused' as const);
    });
    this.renewing = renewal.then(() => {});
    return renewal;
  }

  /**
   * The value is read first: in a bucket that was lost and made again revisions begin anew, and the one that is known here may be
   * that of another owner's lease.
   */
  private async renewOnce(): Promise<'renewed' | 'refused'> {
    const entry = await this.bucket.get(this.key);
    if (entry === undefined || !Buffer.from(entry.value).equals(this.value)) return 'refused';
    this.revision = await this.bucket.update(this.key, this.value, entry.revision);
    return 'renewed';
  }
}
