import { MillraceError } from '../errors.ts';

const SUBJECT = /^[^\s.*>\x00-\x1f]+(\.[^\s.*>\x00-\x1f]+)*$/;
const FILTER = /^(([^\s.*>\x00-\x1f]+|\*)(\.([^\s.*>\x00-\x1f]+|\*))*(\.>)?|>)$/;
const KEY = /^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$/;

/** True when `subject` is matched by `filter`: `*` stands for one token, a final `>` for one or more. */
export function subjectMatches(filter: string, subject: string): boolean {
  if (filter === '>' || filter === subject) return true;
  const want = filter.split('.');
  const have = subject.split('.');
  for (let i = 0; i < want.length; i++) {
    if (want[i] === '>') return have.length > i;
    if (i >= have.length || (want[i] !== '*' && want[i] !== have[i])) return false;
  }
  return want.length === have.length;
}

/** Throws `invalid_argument` unless `subject` can be published to (no wildcards, no empty tokens, no spaces). */
export function checkSubject(subject: string): void {
  if (!SUBJECT.test(subject)) {
    throw new MillraceError('invalid_argument', `not a subject that can be published to: ${JSON.stringify(subject)}`, {
      field: 'subject',
    });
  }
}

/** Throws `invalid_argument` unless `filter` is a subject, with or without wildcards. */
export function checkFilter(filter: string): void {
  if (!FILTER.test(filter)) {
    throw new MillraceError('invalid_argument', `not a subject filter: ${JSON.stringify(filter)}`, { field: 'filter' });
  }
}

/** Throws `invalid_argument` unless `key` is a key: letters, digits and `-/_=`, in tokens joined by dots. */
export function checkKey(key: string): void {
  if (!KEY.test(key)) {
    throw new MillraceError(
      'invalid_argument',
      `not a key: ${JSON.stringify(key)}; use letters, digits, "-", "_", "/", "=" and "."`,
      {
        field: 'key',
      },
    );
  }
}
