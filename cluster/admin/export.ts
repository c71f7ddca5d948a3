import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../src/errors.ts';
import { ExportFormat } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { ExportTrajectoriesRequest, ImportTrajectoriesRequest } from '../../src/gen/millrace/v1/admin_pb.ts';
import { Purpose } from '../../src/gen/millrace/v1/training_pb.ts';
import { CHUNK_BYTES, exportLines } from '../../src/store/export/export.ts';
import type { ExportChunk, ExportRequest } from '../../src/store/export/export.ts';
import { exportFile } from '../../src/store/export/file.ts';
import { ExportFiles } from '../../src/store/export/files.ts';
import { inWhere } from '../../src/store/export/filter.ts';
import { importLines } from '../../src/store/export/import.ts';
import type { Imported } from '../../src/store/export/import.ts';
import type { Store } from '../../src/store/store.ts';
import { checkCount, checkJobId } from './validation.ts';

/** The fields of ExportTrajectoriesResponse. */
export interface ExportMessage {
  data: Uint8Array;
  cursor: string;
  done: bigint;
  total: bigint;
}

/** The fields of ImportTrajectoriesRequest. */
export type ImportMessage = Pick<ImportTrajectoriesRequest, 'lines' | 'job'>;

/** Longest condition, in characters. */
const LONGEST_WHERE = 20_000;
/** Lines of one import call. */
const MOST_LINES = 5000;

/** Reads a request as it came. Throws `invalid_argument` with the field that is wrong. */
export function exportRequest(message: ExportTrajectoriesRequest): ExportRequest {
  const { format, steps, filter, cursor, chunkBytes } = message;
  if (filter?.job) checkJobId(filter.job);
  if ((filter?.where.length ?? 0) > LONGEST_WHERE)
    throw new MillraceError(
      'invalid_argument',
      `where: it has ${filter!.where.length} characters; the most is ${LONGEST_WHERE}.`,
      {
        field: 'where',
      },
    );
  return {
    format: format === ExportFormat.PARQUET ? 'parquet' : 'jsonl',
    steps,
    filter: {
      job: filter?.job || undefined,
      purpose: filter?.purpose === Purpose.EVALUATE ? 'evaluate' : filter?.purpose === Purpose.TRAIN ? 'train' : undefined,
      success: filter?.success,
      task: filter?.taskId || undefined,
      minVersion: filter?.minVersion,
      maxVersion: filter?.maxVersion,
      from: micros(filter?.startTime),
      until: micros(filter?.endTime),
      where: filter?.where || undefined,
    },
    cursor: cursor || undefined,
    chunkBytes: checkCount('chunk_bytes', chunkBytes, { min: 4096, max: 1024 * 1024, byDefault: CHUNK_BYTES }),
  };
}

/** The part of the admin API that the store node answers. */
export interface TrajectoryTransfer {
  /** See AdminService.ExportTrajectories. Ends when the reader leaves or `signal` aborts. */
  exportTrajectories(request: ExportTrajectoriesRequest, signal: AbortSignal): AsyncIterable<ExportMessage>;
  /** See AdminService.ImportTrajectories. */
  importTrajectories(request: ImportMessage, signal: AbortSignal): Promise<Imported>;
}

/** Exports and imports of the store of this process. Files are written to `folder`, which is emptied. */
export class StoreTransfer implements TrajectoryTransfer {
  readonly #store: Store;
  readonly #files: ExportFiles;
  #open = 0;

  constructor(store: Store, folder: string) {
    this.#store = store;
    this.#files = new ExportFiles(folder);
  }

  /** Exports under way. */
  get open(): number {
    return this.#open;
  }

  async *exportTrajectories(message: ExportTrajectoriesRequest, signal: AbortSignal): AsyncGenerator<ExportMessage> {
    const request = { ...exportRequest(message), signal };
    const chunks =
      request.format === 'parquet' ? exportFile(this.#store, this.#files, request) : exportLines(this.#store, request);
    this.#open += 1;
    try {
      for await (const chunk of chunks) yield toMessage(chunk);
    } catch (thrown) {
      throw inWhere(request.filter, thrown);
    } finally {
      this.#open -= 1;
    }
  }

  async importTrajectories({ lines, job }: ImportMessage): Promise<Imported> {
    if (lines.length > MOST_LINES)
      throw new MillraceError('invalid_argument', `lines: got ${lines.length}, expected at most ${MOST_LINES} in a call.`, {
        field: 'lines',
      });
    return importLines(this.#store, lines, { job: job === '' ? undefined : checkJobId(job) });
  }

  /** Removes the files. */
  close(): void {
    this.#files.close();
  }
}

const toMessage = ({ data, cursor, done, total }: ExportChunk): ExportMessage => ({
  data,
  cursor,
  done: BigInt(done),
  total: BigInt(total),
});

const micros = (time: Timestamp | undefined): number | undefined =>
  time && Number(time.seconds) * 1e6 + Math.floor(time.nanos / 1000);
