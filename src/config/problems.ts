import type { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { refusals } from '../algo/schema/refusals.ts';
import { isAboutSize, wordsOf } from '../algo/schema/issue-words.ts';
import { unknownKey } from './layers.ts';
import { MOST_NESTED, nestedTooDeeply } from './nesting.ts';
import { allowedBy, childOf, chosenOption, isOpen, keysOf, namesOf, optionsOf, schemaAt, type Schema } from './schema-walk.ts';

/** Says where a value was written: `job.yaml:12`, `--set rollout.groupSize`; undefined when nobody wrote it. */
export type Locate = (path: readonly string[], what: 'key' | 'value') => string | undefined;

const SECRET = /(token|password|secret)$/i;

/** Whether a field's value is a secret: it is in no message. */
export const isSecretField = (field: string): boolean => SECRET.test(field);

/** Problems named in one error; more are counted. */
const MAX_NAMED = 12;

/**
 * Checks a value against a schema.
 *
 * @param what - what the value is, for the error of a missing field, e.g. the file's name
 * @throws MillraceError invalid_argument: one line a problem, each with its place, its field, what was got and what is
 *   allowed; `field` is the first one's.
 */
export function check<T extends z.ZodType>(schema: T, value: unknown, what: string, locate: Locate): z.output<T> {
  const deep = nestedTooDeeply(value);
  if (deep !== undefined) {
    const message = `${locate([deep], 'value') ?? what}: ${deep}: is nested too deeply: at most ${MOST_NESTED} lists and sections in each other`;
    throw new MillraceError('invalid_argument', message, deep === '' ? {} : { field: deep });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => describe(schema, value, issue, { what, locate }));
  const lines = problems.slice(0, MAX_NAMED).map((problem) => problem.text);
  if (problems.length > MAX_NAMED) lines.push(`… and ${problems.length - MAX_NAMED} more`);
  const field = problems[0]?.field;
  throw new MillraceError('invalid_argument', lines.join('\n'), field === undefined || field === '' ? {} : { field });
}

/** {@link check} of a value that is a field by itself: that is the field of the error where no other one is wrong. */
export function checkedWhole<T extends z.ZodType>(schema: T, value: unknown, name: string): z.output<T> {
  try {
    return check(schema, value, name, () => undefined);
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    throw error.field === undefined ? new MillraceError(error.code, error.message, { cause: error, field: name }) : error;
  }
}

interface Problem {
  readonly field: string;
  readonly text: string;
}

/** Where a value came from: in words, and by its keys. */
interface Source {
  what: string;
  locate: Locate;
}

function describe(schema: Schema, value: unknown, issue: z.core.$ZodIssue, source: Source): Problem[] {
  const { what, locate } = source;
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const at = [...path, key];
      const text = `${locate(at, 'key') ?? what}: ${unknownIn(schemaAt(schema, path, value), valueAt(value, path), at)}`;
      return { field: at.join('.'), text };
    });
  }
  const chosen = issue.code === 'invalid_union' ? withinChoice(schema, value, choiceAt(schema, value, path)) : undefined;
  if (chosen !== undefined) return chosen.flatMap((inner) => describe(schema, value, inner, source));
  const field = path.join('.');
  const leaf = schemaAt(schema, path, value);
  const place = locate(path, 'value');
  const reason = issue.code === 'custom' ? undefined : reasonAt(schema, path, value);
  const allowed = allowedAt(leaf, issue);
  const got = valueAt(value, path);
  if (got === undefined && issue.code !== 'custom') return [{ field, text: `${what}: ${field} is missing: expected ${allowed}` }];
  return [
    {
      field,
      text: `${place ?? what}: ${field === '' ? '' : `${field}: `}got ${isSecretField(field) ? 'something else' : shorten(got)}, expected ${allowed}${reason === undefined ? '' : `: ${reason}`}`,
    },
  ];
}

/** What is allowed: as the schema says, or the issue where that is more precise. */
function allowedAt(leaf: Schema | undefined, issue: z.core.$ZodIssue): string {
  // The schema's own words for what its pattern lets through.
  const own = issue.code === 'invalid_format' ? /^expected (.+)$/.exec(issue.message)?.[1] : undefined;
  if (own !== undefined) return own;
  const said = leaf === undefined || issue.code === 'custom' ? undefined : allowedBy(leaf);
  if (said === undefined || issue.code === 'invalid_key' || issue.code === 'not_multiple_of') return wordsOf(issue);
  if (!isAboutSize(issue)) return said;
  const { description } = leaf as z.ZodType;
  return description === undefined ? wordsOf(issue) : `${wordsOf(issue)} (${description})`;
}

/** Why the chosen section has a key as it is, where that was said. */
function reasonAt(schema: Schema, path: readonly string[], value: unknown): string | undefined {
  const parent = path.slice(0, -1);
  const section = schemaAt(schema, parent, value);
  if (section === undefined || optionsOf(section) === undefined) return undefined;
  return refusals.get(chosenOption(section, valueAt(value, parent)) as z.ZodType)?.reasons[path.at(-1) ?? ''];
}

/** The error text for a key that a section does not have; which other sections do, where one of several is chosen. */
function unknownIn(section: Schema | undefined, value: unknown, at: readonly string[]): string {
  const choice = section === undefined ? undefined : optionsOf(section);
  if (section === undefined || choice === undefined)
    return unknownKey(at, (section === undefined ? undefined : keysOf(section)) ?? []);
  const option = chosenOption(section, value);
  const key = at.at(-1) ?? '';
  const name = (of: Schema): string => namesOf(of, choice.key).map(String).join('/');
  const known = choice.options.filter((other) => !isOpen(other) && childOf(other, key) !== undefined).map(name);
  const text = unknownKey(at, keysOf(option) ?? []);
  if (known.length === 0) return text;
  const reason = refusals.get(option as z.ZodType)?.reasons[key];
  const why = `${choice.key} ${name(option)} has no ${key}${reason === undefined ? '' : `: ${reason}`}; ${known.join(', ')} ${known.length === 1 ? 'has' : 'have'}`;
  return `${text} (${why})`;
}

/** The path of the choice that an issue is about: one of a name that no section has is reported at the key that chooses. */
function choiceAt(schema: Schema, value: unknown, path: readonly string[]): readonly string[] {
  const parent = path.slice(0, -1);
  const section = path.length === 0 ? undefined : schemaAt(schema, parent, value);
  const choice = section === undefined ? undefined : optionsOf(section);
  return choice !== undefined && choice.key === path.at(-1) ? parent : path;
}

/** What is wrong with the section that the value chose, or with the choice itself; undefined when there is nothing to choose. */
function withinChoice(schema: Schema, value: unknown, path: readonly string[]): z.core.$ZodIssue[] | undefined {
  const section = schemaAt(schema, path, value);
  const choice = section === undefined ? undefined : optionsOf(section);
  if (section === undefined || choice === undefined) return undefined;
  const got = valueAt(value, path);
  const { key, options } = choice;
  const name = typeof got === 'object' && got !== null ? (got as Record<string, unknown>)[key] : undefined;
  const names = options.flatMap((option) => namesOf(option, key));
  const open = options.some(isOpen);
  if (name !== undefined && !names.includes(name) && !(open && typeof name === 'string')) {
    const message = `one of ${names.join(', ')}${open ? ', or the name of another' : ''}`;
    return [{ code: 'custom', path: [...path, key], message, input: name }];
  }
  const issues = (chosenOption(section, got) as z.ZodType).safeParse(got).error?.issues;
  return issues?.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    value,
  );
}

/** The value as people write it, cut to a length that fits a line. */
function shorten(value: unknown): string {
  if (typeof value === 'number' || value === undefined) return String(value);
  const hidden = (key: string, inside: unknown): unknown => (isSecretField(key) ? '***' : inside);
  const text = (JSON.stringify(value, hidden) ?? typeof value).replace(/\/\/[^/@]*@/, '//***@');
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
