import { filterWords, wrongFilter, type FilterWord } from './filter-words.ts';
import { LISTED_STATES, listingField, type JobListing, type ListingField } from './job-listing.ts';

/** Says whether a job is one that a list is asked for. */
export type JobFilter = (listing: JobListing) => boolean;

/** Parentheses within parentheses. */
const DEEPEST = 20;

/**
 * Reads a filter in the style of Google's API design (AIP-160): comparisons `field operator value` with `AND`, `OR` (which binds closer than
 * `AND`), `NOT` and parentheses. Texts take `=` and `!=`, with `*` at either end for any characters, states `=` and `!=`, numbers and times
 * (RFC 3339) also `<`, `<=`, `>` and `>=`. A time that a job does not have yet satisfies `!=` alone. An empty filter takes every job.
 *
 * @throws MillraceError invalid_argument with field `filter`, the column and what is allowed
 */
export function parseFilter(filter: string): JobFilter {
  const words = filterWords(filter);
  if (words.length === 0) return () => true;
  const parser = new Parser(words);
  const result = parser.all(0);
  parser.end();
  return result;
}

class Parser {
  readonly #words: readonly FilterWord[];
  #next = 0;

  constructor(words: readonly FilterWord[]) {
    this.#words = words;
  }

  all(depth: number): JobFilter {
    const parts = [this.#any(depth)];
    while (this.#take('AND')) parts.push(this.#any(depth));
    return (listing) => parts.every((part) => part(listing));
  }

  end(): void {
    const word = this.#words[this.#next];
    if (word !== undefined)
      throw wrongFilter(`column ${word.column}: expected AND or the end, got ${JSON.stringify(word.text)}.`);
  }

  #any(depth: number): JobFilter {
    const parts = [this.#one(depth)];
    while (this.#take('OR')) parts.push(this.#one(depth));
    return (listing) => parts.some((part) => part(listing));
  }

  #one(depth: number): JobFilter {
    if (depth > DEEPEST) throw wrongFilter(`is nested more than ${DEEPEST} deep.`);
    if (this.#take('NOT')) {
      const part = this.#one(depth + 1);
      return (listing) => !part(listing);
    }
    if (this.#words[this.#next]?.kind !== 'open') return this.#comparison();
    this.#next += 1;
    const part = this.all(depth + 1);
    this.#expect('close', '")"');
    return part;
  }

  #comparison(): JobFilter {
    const name = this.#expect('word', 'the name of a field');
    const field = listingField(name.text, 'filter');
    const operator = this.#expect('comparator', 'one of = != < <= > >=');
    const value = this.#words[this.#next];
    if (value?.kind !== 'word' && value?.kind !== 'text') throw this.#unexpected('a value');
    this.#next += 1;
    return comparison(name.text, field, operator.text, value);
  }

  #take(keyword: string): boolean {
    const word = this.#words[this.#next];
    if (word?.kind !== 'word' || word.text !== keyword) return false;
    this.#next += 1;
    return true;
  }

  #expect(kind: FilterWord['kind'], what: string): FilterWord {
    const word = this.#words[this.#next];
    if (word?.kind !== kind) throw this.#unexpected(what);
    this.#next += 1;
    return word;
  }

  #unexpected(what: string): Error {
    const word = this.#words[this.#next];
    const place = word === undefined ? 'the end' : `column ${word.column}`;
    return wrongFilter(`${place}: expected ${what}${word === undefined ? '' : `, got ${JSON.stringify(word.text)}`}.`);
  }
}

function comparison(name: string, { kind, of }: ListingField, operator: string, { text, column }: FilterWord): JobFilter {
  const wrong = (expected: string): Error =>
    wrongFilter(`column ${column}: ${name} takes ${expected}, got ${JSON.stringify(text.slice(0, 60))}.`);
  if (kind === 'text' || kind === 'state') {
    if (operator !== '=' && operator !== '!=') throw wrongFilter(`column ${column}: ${name} takes = and !=, got ${operator}.`);
    const wanted = kind === 'state' ? text.toUpperCase() : text;
    if (kind === 'state' && !LISTED_STATES.includes(wanted)) throw wrong(`one of ${LISTED_STATES.join(', ')}`);
    const matches = matcher(wanted);
    return (listing) => matches(String(of(listing))) === (operator === '=');
  }
  const number = kind === 'time' ? Date.parse(text) : Number(text);
  if (text.trim() === '' || !Number.isFinite(number))
    throw wrong(kind === 'time' ? 'a time such as "2026-05-01T12:00:00Z"' : 'a number');
  return (listing) => {
    const value = of(listing) as number | undefined;
    if (value === undefined) return operator === '!=';
    const difference = value - number;
    return compares(operator, difference);
  };
}

function compares(operator: string, difference: number): boolean {
  switch (operator) {
    case '=':
      return difference === 0;
    case '!=':
      return difference !== 0;
    case '<':
      return difference < 0;
    case '<=':
      return difference <= 0;
    case '>':
      return difference > 0;
    default:
      return difference >= 0;
  }
}

/** Compares with a text that may have `*` at either end. */
function matcher(wanted: string): (value: string) => boolean {
  const [from, to] = [wanted.startsWith('*'), wanted.length > 1 && wanted.endsWith('*')];
  const text = wanted.slice(from ? 1 : 0, to ? -1 : undefined);
  if (from && to) return (value) => value.includes(text);
  if (from) return (value) => value.endsWith(text);
  return to ? (value) => value.startsWith(text) : (value) => value === text;
}
