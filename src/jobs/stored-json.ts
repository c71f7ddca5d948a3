import type { z } from 'zod';
import { wordsOf } from '../algo/schema/issue-words.ts';
import { MillraceError } from '../errors.ts';

/**
 * Reads a value of a bucket: JSON of a format that this version knows.
 * @throws MillraceError `data_loss` (with the field, where there is one) when it is damaged, `failed_precondition` when a newer version wrote it
 */
export function decodeStored<S extends z.ZodType>(bytes: Uint8Array, schema: S, newest: number): z.infer<S> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MillraceError('data_loss', 'it is not JSON (truncated, or something else)', { cause });
  }
  const format = (json as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format > newest)
    throw new MillraceError('failed_precondition', `a newer version of Millrace wrote it (format ${format}): upgrade`);
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.join('.');
  throw new MillraceError('data_loss', `${field}: expected ${wordsOf(issue)}`, { field });
}
