import { MillraceError } from '../../src/errors.ts';
import { ExportFormat } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { ExportMessage } from '../admin/export.ts';
import type { CliContext } from './context.ts';
import { byteSize, duration } from './format.ts';
import { pause } from './pause.ts';
import { StatusLine } from './status-line.ts';
import type { ExportInit, Transfer } from './transfer.ts';

/** Where an export goes. */
export interface Sink {
  /** Of the last chunk taken; '' at the beginning. */
  readonly cursor: string;
  write(data: Uint8Array, cursor: string): Promise<void> | void;
  /** Forgets what was taken; undefined where that cannot be. */
  restart?(): void;
}

/** Broken streams in a row, without a chunk between them, before the export gives up. */
const MOST_BREAKS = 6;

/** What an export gave. */
export interface Exported {
  /** Trajectories, or bytes of a Parquet file. */
  done: number;
  bytes: number;
}

/** Runs an export into `sink`, with its progress on stderr. A stream that breaks is taken up again where it broke. */
export async function exportTrajectories(
  context: CliContext,
  transfer: Transfer,
  request: ExportInit,
  sink: Sink,
): Promise<Exported> {
  const line = new StatusLine(context.stderr);
  const isFile = request.format === ExportFormat.PARQUET;
  const startedAt = performance.now();
  let received = 0;
  let last: ExportMessage | undefined;
  let breaks = 0;
  try {
    for (;;) {
      try {
        for await (const message of transfer.export({ ...request, cursor: sink.cursor })) {
          await sink.write(message.data, message.cursor);
          received += message.data.length;
          last = message;
          breaks = 0;
          line.update(progress(message, { isFile, received, seconds: (performance.now() - startedAt) / 1000 }));
          if (context.signal.aborted) throw new MillraceError('cancelled', 'Interrupted.');
        }
        break;
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        if (error.code === 'failed_precondition' && error.field === 'cursor' && sink.cursor !== '' && sink.restart) {
          line.note(`${error.message}: beginning again`);
          sink.restart();
          continue;
        }
        breaks += 1;
        if (error.code !== 'unavailable' || sink.cursor === '' || breaks > MOST_BREAKS || context.signal.aborted) throw error;
        line.note(`the stream broke (${error.message.replace(/\.$/, '')}); going on`);
        await pause(200 * 2 ** breaks, context.signal);
      }
    }
  } finally {
    line.end();
  }
  return { done: Number(last?.done ?? 0n), bytes: received };
}

function progress(
  { done, total }: ExportMessage,
  { isFile, received, seconds }: { isFile: boolean; received: number; seconds: number },
): string {
  const share = total > 0n ? ` (${Math.floor((Number(done) / Number(total)) * 100)} %)` : '';
  const what = isFile ? `${byteSize(done)} of ${byteSize(total)}` : `${done} of ${total} trajectories`;
  return `${what}${share} · ${byteSize(received)} in ${duration(seconds)}`;
}
