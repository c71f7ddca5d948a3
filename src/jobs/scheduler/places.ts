import { z } from 'zod';
import { schedulerSchema } from '../../config/scheduler.ts';
import { MillraceError } from '../../errors.ts';

const PLACES_FORMAT = 1;

const placesSchema = z.object({
  format: z.literal(PLACES_FORMAT),
  /** The last ticket that was given; they only grow. */
  tickets: z.int().min(0),
  /** Jobs with a place, whether they run already or not. */
  admitted: z.record(
    z.string(),
    z.object({
      /** Number of the admission. */
      ticket: z.int().min(1),
      /** When it was, in Unix milliseconds. */
      since: z.number(),
    }),
  ),
  /** Places there were for the jobs of the cluster. */
  places: z.int().min(0),
  /** Settings of the owners that it was made with. */
  owners: schedulerSchema.shape.owners,
});

/** The scheduler's decision, as bucket `scheduler` keeps it. No job runs that is not in it. */
export type Places = z.infer<typeof placesSchema>;

/** No job has a place. */
export const NO_PLACES: Places = { format: PLACES_FORMAT, tickets: 0, admitted: {}, places: 0, owners: {} };

export function encodePlaces(places: Places): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(places));
}

/**
 * Reads what {@link encodePlaces} wrote.
 *
 * @throws MillraceError `failed_precondition` when a newer version wrote it, `data_loss` when it is damaged.
 */
export function decodePlaces(bytes: Uint8Array): Places {
  let json: { format?: unknown } | null;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof json;
  } catch (cause) {
    throw new MillraceError('data_loss', 'it is not JSON (truncated, or something else)', { cause });
  }
  if (typeof json?.format === 'number' && json.format > PLACES_FORMAT) {
    const versions = `format ${json.format}; this version reads ${PLACES_FORMAT}`;
    throw new MillraceError('failed_precondition', `a newer version of Millrace wrote it (${versions}): upgrade`);
  }
  const parsed = placesSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new MillraceError('data_loss', `it is no decision of the scheduler (${parsed.error.issues[0]?.path.join('.') ?? ''})`);
}
