import type { AdminService, DeadLetter } from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { answered } from './answered.ts';

/** Options of calls about the letters of one stream. */
export interface StreamOptions extends CallOptions {
  /** "ROLLOUTS", "GROUPS", "SCORED" or "EVENTS". Default: all. */
  stream?: string | undefined;
}

/** Messages that were given up. */
export interface DeadLettersClient {
  /** Oldest first, without payloads, fetched page by page. */
  list(options?: StreamOptions): AsyncGenerator<DeadLetter>;
  /** With its payload. `not_found` when it is not in the dead-letter queue (any more). */
  get(id: bigint, options?: CallOptions): Promise<DeadLetter>;
  /** Publishes letters again: at most 1000, or "all" that there are now. Returns how many. */
  replay(letters: readonly bigint[] | 'all', options?: StreamOptions): Promise<number>;
}

/** The dead letters of a cluster. */
export function deadLettersClient(admin: ServiceClient<typeof AdminService>): DeadLettersClient {
  return {
    async *list({ stream = '', ...options } = {}) {
      for (let pageToken = ''; ;) {
        const page = await admin.listDeadLetters({ stream, pageSize: 200, pageToken }, options);
        yield* page.deadLetters;
        pageToken = page.nextPageToken;
        if (pageToken === '') return;
      }
    },
    get: async (id, options) => answered((await admin.getDeadLetter({ id }, options)).deadLetter, 'a letter'),
    async replay(letters, { stream = '', ...options } = {}) {
      const request = letters === 'all' ? { all: true, stream } : { ids: [...letters] };
      let replayed = 0;
      for (let pageToken = ''; ;) {
        const page = await admin.replayDeadLetters({ ...request, pageToken }, options);
        replayed += page.replayed;
        pageToken = page.nextPageToken;
        if (pageToken === '') return replayed;
      }
    },
  };
}
