import { MillraceError } from '../errors.ts';

/** Named values of a configuration that somebody else wrote. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #path: string;

  /**
   * @param path - what errors call the file
   * @param field - what gave the file; errors about what is not supported name it
   */
  constructor(
    values: Readonly<Record<string, unknown>>,
    path: string,
    readonly field = 'base',
  ) {
    this.#values = values;
    this.#path = path;
  }

  /** What is there; undefined when nothing is, or null. */
  get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  /** A number. @param otherwise - when there is none; without it, that is an error */
  number(name: string, otherwise?: number): number {
    const value = this.get(name) ?? otherwise;
    if (typeof value !== 'number') throw this.wrong(name, 'a number');
    return value;
  }

  boolean(name: string, otherwise: boolean): boolean {
    const value = this.get(name) ?? otherwise;
    if (typeof value !== 'boolean') throw this.wrong(name, 'true or false');
    return value;
  }

  /** A list of strings. */
  strings(name: string): readonly string[] {
    const value = this.get(name);
    if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) throw this.wrong(name, 'a list of strings');
    return value;
  }

  /** A list of numbers. */
  numbers(name: string): readonly number[] {
    const value = this.get(name);
    if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'number')) throw this.wrong(name, 'a list of numbers');
    return value;
  }

  /** Throws `invalid_argument` unless a value is absent or one of those that are supported. */
  supports(name: string, supported: readonly unknown[]): void {
    const value = this.get(name);
    if (value === undefined || supported.includes(value)) return;
    const list = supported.map((each) => JSON.stringify(each)).join(', ');
    throw this.unsupported(`${name} ${JSON.stringify(value)}; supported: ${list}`);
  }

  /** An error about something that models have and this build does not compute. */
  unsupported(what: string): MillraceError {
    return new MillraceError('invalid_argument', `${this.#path}: not supported: ${what}`, { field: this.field });
  }

  wrong(name: string, expected: string): MillraceError {
    const value = this.get(name);
    const got = value === undefined ? 'is missing' : `is ${JSON.stringify(value).slice(0, 80)}`;
    return new MillraceError('data_loss', `${this.#path}: ${name} ${got}; expected ${expected}`);
  }
}
