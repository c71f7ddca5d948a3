import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type SizeIssue = Extract<Issue, { code: 'too_small' | 'too_big' }>;

/** What is counted of a value of a kind, singular and plural. */
const COUNTED: Readonly<Record<string, readonly [what: string, one: string, many: string]>> = {
  string: ['text', 'character', 'characters'],
  array: ['a list', 'entry', 'entries'],
  set: ['a list', 'entry', 'entries'],
  map: ['a section', 'key', 'keys'],
  object: ['a section', 'key', 'keys'],
  record: ['a section', 'key', 'keys'],
};

const TYPES: Readonly<Record<string, string>> = {
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'an integer',
  bigint: 'an integer',
  boolean: 'true or false',
  object: 'a section',
  record: 'a section of keys and values',
  null: 'nothing (null)',
  undefined: 'nothing',
  nan: 'no number',
};

/** What an issue is about whose schema says it better: anything but the length of texts and lists. */
export function isAboutSize(issue: Issue): issue is SizeIssue {
  return (issue.code === 'too_small' || issue.code === 'too_big') && COUNTED[issue.origin] !== undefined;
}

/**
 * How schemas of users are parsed: `schema.safeParse(value, IN_WORDS)` has issues with messages in our words, but where the schema brings a
 * message of its own.
 */
export const IN_WORDS = {
  error(raw: z.core.$ZodRawIssue): string {
    if (raw.code === 'custom') return 'not what is allowed here';
    // Those that zod itself makes have all that the words need.
    const words = `expected ${wordsOf(raw as unknown as Issue)}`;
    return raw.code === 'invalid_type' && raw.input === undefined ? `is missing: ${words}` : words;
  },
};

/** What an issue of zod says is allowed, in the words of our messages: follows "expected". Never zod's own message, but for what we wrote. */
export function wordsOf(issue: Issue): string {
  switch (issue.code) {
    case 'custom':
      return issue.message;
    case 'invalid_type':
      return TYPES[issue.expected] ?? `a value of type ${issue.expected}`;
    case 'too_small':
    case 'too_big':
      return boundWords(issue);
    case 'invalid_format':
      return formatWords(issue);
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : `one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_union':
      return unionWords(issue.errors);
    case 'unrecognized_keys':
      return `no key ${issue.keys.join(', ')}`;
    case 'invalid_key':
      return `another key: ${issue.issues.map(wordsOf).join('; ')}`;
    case 'invalid_element':
      return `another entry: ${issue.issues.map(wordsOf).join('; ')}`;
  }
}

function boundWords(issue: SizeIssue): string {
  const { inclusive = true, exact = false } = issue;
  const [bound, most] = issue.code === 'too_small' ? [issue.minimum, false] : [issue.maximum, true];
  const counted = COUNTED[issue.origin];
  if (counted === undefined) {
    const relation = most ? (inclusive ? 'at most' : 'less than') : inclusive ? 'at least' : 'more than';
    return `a number of ${exact ? 'exactly' : relation} ${bound}`;
  }
  const [what, one, many] = counted;
  // Counts are whole: less than 5 are at most 4.
  const count = inclusive ? BigInt(bound) : BigInt(bound) + (most ? -1n : 1n);
  return `${what} of ${exact ? 'exactly' : most ? 'at most' : 'at least'} ${count} ${count === 1n ? one : many}`;
}

function formatWords(issue: Extract<Issue, { code: 'invalid_format' }>): string {
  const { format, pattern } = issue;
  if (format === 'starts_with' && 'prefix' in issue) return `text that begins with ${JSON.stringify(issue.prefix)}`;
  if (format === 'ends_with' && 'suffix' in issue) return `text that ends with ${JSON.stringify(issue.suffix)}`;
  if (format === 'includes' && 'includes' in issue) return `text with ${JSON.stringify(issue.includes)} in it`;
  if (format === 'url') return 'a URL';
  return format === 'regex' && pattern !== undefined ? `text that matches ${pattern}` : `text of the form ${format}`;
}

function unionWords(errors: readonly (readonly Issue[])[]): string {
  const words = errors.flatMap((issues) => issues.filter(({ path }) => path.length === 0).map(wordsOf));
  return words.length === 0 ? 'another value' : [...new Set(words)].join(' or ');
}
