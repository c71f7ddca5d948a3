import { fromJson, toJson, type JsonValue } from '@bufbuild/protobuf';
import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { LedgerSchema, type Ledger } from '../gen/millrace/v1/training_pb.ts';

/**
 * How far training was at a version: with weights, optimiser and exploration (which holds the curriculum) all that training goes on from. There
 * is no state of a random number generator: every draw follows from the job's seed, the sequence of the request and the version.
 */
export interface TrainingState {
  version: number;
  /** Seed of every random choice. */
  seed: number;
  /** Training time until this version, in seconds. */
  trainSeconds: number;
  /** How every request ended that had, with the frontier below which all have. */
  ledger: Ledger;
}

const FORMAT = 1;

const stored = z.object({
  format: z.literal(FORMAT),
  version: z.int().min(0),
  seed: z.int().min(0),
  trainSeconds: z.number().min(0),
  ledger: z.record(z.string(), z.json()),
});

/** As UTF-8 JSON. */
export function encodeTrainingState({ version, seed, trainSeconds, ledger }: TrainingState): Uint8Array {
  const json = { format: FORMAT, version, seed, trainSeconds, ledger: toJson(LedgerSchema, ledger) };
  return new TextEncoder().encode(JSON.stringify(json, null, 2));
}

/**
 * Reads what {@link encodeTrainingState} wrote.
 *
 * @param where - file, for errors
 * @throws MillraceError `data_loss` when it is damaged, `failed_precondition` when a newer version wrote it
 */
export function decodeTrainingState(bytes: Uint8Array, where: string): TrainingState {
  try {
    const json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as { format?: unknown } | null;
    if (typeof json?.format === 'number' && json.format > FORMAT) {
      throw new MillraceError(
        'failed_precondition',
        `a newer version of Millrace wrote ${where} (format ${json.format}; this version reads ${FORMAT}): upgrade`,
      );
    }
    const { version, seed, trainSeconds, ledger } = stored.parse(json);
    return { version, seed, trainSeconds, ledger: fromJson(LedgerSchema, ledger as JsonValue) };
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError('data_loss', `${where} is damaged: ${(cause as Error).message}`, { cause });
  }
}
