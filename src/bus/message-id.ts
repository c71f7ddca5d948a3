import { createHash } from 'node:crypto';
import { MillraceError } from '../errors.ts';
import type { PublishOptions } from './bus.ts';

const MARK = /~[\w-]{16}$/;

/**
 * The id by which a stream knows a message: that of the publisher and a digest of what the message is (its subject, and
 * `content` or else its bytes). So a stream answers "duplicate" only for a message that was published before, and never drops
 * another one that happens to have the same id.
 */
export function dedupId(subject: string, data: Uint8Array, { id, content = data }: PublishOptions): string {
  checkId(id);
  const digest = createHash('sha256').update(subject).update('\0').update(content).digest('base64url').slice(0, 16);
  return `${id}~${digest}`;
}

/** The publisher's own part of an id that {@link dedupId} made; any other id as it is. */
export function publishedId(id: string): string {
  return id.replace(MARK, '');
}

/** Ids travel in a header, as UTF-8: control characters would break it, and what is not well-formed would become another id. */
function checkId(id: string): void {
  if (id !== '' && id.isWellFormed() && !/\p{Cc}/u.test(id)) return;
  throw new MillraceError(
    'invalid_argument',
    `not a message id: ${JSON.stringify(id)}; ids are well-formed Unicode without control characters`,
    { field: 'id' },
  );
}
