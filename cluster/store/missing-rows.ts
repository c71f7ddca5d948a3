import { MillraceError } from '../../src/errors.ts';
import { detachedText, type DetachedPart } from '../../src/store/detached.ts';
import { TABLE_NAMES } from '../../src/records/tables.ts';
import type { NodeContext } from '../runtime/context.ts';

const HOUR_MS = 3_600_000;
const CODE = 'ROWS_MISSING';

/** Options of {@link watchMissingRows}. */
export interface MissingRowsOptions {
  /** What the engine has set aside. */
  readonly detached: () => Promise<DetachedPart[]>;
  /** Told once of each part. */
  readonly onTrouble?: ((text: string) => void) | undefined;
}

/**
 * Looks at once and every hour whether the engine has set parts of tables aside, whose rows are then in no answer: says so in the log,
 * to whoever started the cluster, in the metrics, and as a notice of the job where the part says whose rows it had. Resolves after
 * the first look; returns what stops the others.
 */
export async function watchMissingRows(
  { clock, log, metrics, notices }: Pick<NodeContext, 'clock' | 'log' | 'metrics' | 'notices'>,
  { detached, onTrouble }: MissingRowsOptions,
): Promise<() => void> {
  const known = new Set<string>();
  const look = async (): Promise<void> => {
    let parts: DetachedPart[];
    try {
      parts = await detached();
    } catch (error) {
      log.warn({ err: MillraceError.from(error) }, 'the store cannot tell which parts were set aside');
      return;
    }
    // Tables without any as well: what was brought back is no longer missing.
    for (const table of TABLE_NAMES) {
      const of = parts.filter((part) => part.table === table);
      metrics.set('store_detached_parts', { table }, of.length);
      metrics.set(
        'store_detached_rows',
        { table },
        of.reduce((sum, { rows }) => sum + (rows ?? 0), 0),
      );
    }
    for (const part of parts) {
      const key = `${part.table}/${part.part}`;
      if (known.has(key)) continue;
      known.add(key);
      const text = detachedText(part);
      log.error({ ...part }, text);
      onTrouble?.(text);
      // By table: a crash may break many parts at once.
      if (part.job) void notices.report(part.job, { code: CODE, subject: part.table, message: text });
    }
  };
  await look();
  return clock.every(HOUR_MS, () => void look());
}
