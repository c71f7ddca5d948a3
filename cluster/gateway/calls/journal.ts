import type { ArtifactStore } from '../../../src/artifacts/artifacts.ts';
import type { Bus } from '../../../src/bus/bus.ts';
import type { Clock } from '../../../src/clock/clock.ts';
import { MillraceError } from '../../../src/errors.ts';
import { callSubject, type CallEntry } from '../../../src/protocol/subjects.ts';
import type { CallRow } from '../../../src/records/call-tables.ts';
import { encodeRows } from '../../../src/records/encode.ts';
import { packRows } from '../../../src/records/pack.ts';

/** Longer bodies, as they are encoded, are artifacts. */
const MOST_BODY = 256 * 1024;
/** Longer rows travel packed: messages stay under a megabyte. */
const MOST_ROW = 400_000;
/** The end of a call is tried this long: the answer is there, and only has to be written down. */
const END_WITHIN_MS = 30_000;
const AGAIN_MS = 250;

/** What a {@link Journal} works with. */
export interface JournalContext {
  bus: Pick<Bus, 'publish'>;
  clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** For bodies over 256 KiB. */
  bodies: Pick<ArtifactStore, 'put'>;
}

/** Writes what is known of calls to stream CALLS; see docs/adr/0093-calls-are-journalled-as-rows.md. */
export class Journal {
  readonly #context: JournalContext;
  readonly #open = new Set<Promise<unknown>>();

  constructor(context: JournalContext) {
    this.#context = context;
  }

  /** Writes a call that begins; it is in the stream when this resolves. Throws what {@link Bus.publish} throws. */
  async begin(row: CallRow): Promise<CallRow> {
    const small = await this.#withoutLargeBodies(row);
    await this.#publish(small, 'started');
    return small;
  }

  /** Writes how a call ended, again and again for 30 s while the bus does not take it; it is in the stream when this resolves. */
  end(row: CallRow): Promise<void> {
    const written = this.#end(row);
    this.#open.add(written);
    const done = (): void => void this.#open.delete(written);
    written.then(done, done);
    return written;
  }

  /** Waits for the ends that are being written. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#open);
  }

  async #end(row: CallRow): Promise<void> {
    const { clock } = this.#context;
    const until = clock.monotonic() + END_WITHIN_MS;
    for (;;) {
      try {
        return await this.#publish(await this.#withoutLargeBodies(row), 'ended');
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        if (!error.retryable || clock.monotonic() >= until) throw error;
        await clock.sleep(AGAIN_MS);
      }
    }
  }

  async #publish(row: CallRow, entry: CallEntry): Promise<void> {
    const encoded = encodeRows('calls', [row]);
    const data = encoded.length > MOST_ROW ? packRows(encoded) : encoded;
    await this.#context.bus.publish(callSubject(row.job, row.session, entry), data, { id: `${row.call_id}:${entry}` });
  }

  async #withoutLargeBodies(row: CallRow): Promise<CallRow> {
    const { request, response } = row;
    return {
      ...row,
      ...(isLarge(request) && { request: '', request_artifact: await this.#put(request) }),
      ...(isLarge(response) && { response: '', response_artifact: await this.#put(response) }),
    };
  }

  async #put(body: string): Promise<string> {
    return (await this.#context.bodies.put(Buffer.from(body))).digest;
  }
}

/** By what it takes in a row, where it is a text in JSON. */
function isLarge(body: string): boolean {
  return body.length > MOST_BODY / 8 && Buffer.byteLength(JSON.stringify(body)) > MOST_BODY;
}
