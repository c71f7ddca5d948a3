import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../src/errors.ts';
import { ExportFormat, TrajectoryFilterSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import { Purpose } from '../../src/gen/millrace/v1/training_pb.ts';
import type { ExportInit } from './transfer.ts';

/** Options of `millrace export` as they come from the command line. */
export interface RequestFlags {
  format: string;
  steps?: boolean;
  job?: string;
  task?: string;
  purpose?: string;
  success?: string;
  fromVersion?: string;
  toVersion?: string;
  since?: string;
  until?: string;
  where?: string;
}

const EITHER = new Intl.ListFormat('en-GB', { type: 'disjunction' });

/** The request that options ask for. Throws `invalid_argument` with the option and what is allowed. */
export function exportInit(flags: RequestFlags): ExportInit {
  const format = oneOf('--format', flags.format, {
    jsonl: ExportFormat.JSONL,
    parquet: ExportFormat.PARQUET,
    conversations: ExportFormat.JSONL,
  });
  // What is imitated is what solved a task, and none that evaluations measure.
  const imitated = flags.format === 'conversations' ? { purpose: 'train', success: 'true' } : undefined;
  const { purpose, success, fromVersion, toVersion, since, until } = { ...imitated, ...given(flags) };
  const filter = create(TrajectoryFilterSchema, {
    job: flags.job ?? '',
    taskId: flags.task ?? '',
    where: flags.where ?? '',
    ...(purpose !== undefined && { purpose: oneOf('--purpose', purpose, { train: Purpose.TRAIN, evaluate: Purpose.EVALUATE }) }),
    ...(success !== undefined && { success: oneOf('--success', success, { true: true, false: false }) }),
    ...(fromVersion !== undefined && { minVersion: version('--from-version', fromVersion) }),
    ...(toVersion !== undefined && { maxVersion: version('--to-version', toVersion) }),
    ...(since !== undefined && { startTime: timestampFromDate(time('--since', since)) }),
    ...(until !== undefined && { endTime: timestampFromDate(time('--until', until)) }),
  });
  return { format, steps: flags.steps ?? false, filter };
}

/** Options that were given. */
function given(flags: RequestFlags): RequestFlags {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as unknown as RequestFlags;
}

function oneOf<T>(option: string, given: string, values: Readonly<Record<string, T>>): T {
  if (Object.hasOwn(values, given)) return values[given]!;
  throw new MillraceError('invalid_argument', `${option}: got "${given}", expected ${EITHER.format(Object.keys(values))}.`, {
    field: option,
  });
}

function version(option: string, given: string): number {
  if (/^\d{1,10}$/.test(given) && Number(given) <= 0xffffffff) return Number(given);
  throw new MillraceError('invalid_argument', `${option}: got "${given}", expected a policy version from 0.`, { field: option });
}

function time(option: string, given: string): Date {
  // Without a zone it is UTC, like all times of the store.
  const date = new Date(/[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/.test(given) ? `${given}Z` : given);
  if (/^\d{4}-\d{2}-\d{2}/.test(given) && !Number.isNaN(date.getTime()) && date.getTime() >= 0) return date;
  throw new MillraceError(
    'invalid_argument',
    `${option}: got "${given}", expected a time like 2026-11-21 or 2026-11-21T08:00:00Z.`,
    {
      field: option,
    },
  );
}
