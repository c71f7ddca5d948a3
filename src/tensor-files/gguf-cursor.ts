import { MillraceError } from '../errors.ts';
import type { ByteSource } from './byte-source.ts';

/** A value of the metadata. Integers of 64 bits must be safe integers. */
export type GgufValue = number | boolean | string | readonly GgufValue[];

/** Read at once; metadata are a few MB. */
const WINDOW = 1 << 20;
/** Headers of real models are below 20 MB. */
const LARGEST_HEADER = 100_000_000;
/** Entries of one array: vocabularies have a few hundred thousand. */
const LONGEST_ARRAY = 1 << 22;
const DEEPEST_ARRAY = 4;

const STRING = 8;
const ARRAY = 9;

type Read = (view: DataView, at: number) => number | bigint | boolean;
/** Types of fixed size, by their numbers in the format. */
const FIXED: Readonly<Record<number, { bytes: number; read: Read }>> = {
  0: { bytes: 1, read: (view, at) => view.getUint8(at) },
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  7: { bytes: 1, read: (view, at) => view.getUint8(at) !== 0 },
  10: { bytes: 8, read: (view, at) => view.getBigUint64(at, true) },
  11: { bytes: 8, read: (view, at) => view.getBigInt64(at, true) },
  12: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** Reads the header of a GGUF file from its start. Every method throws `data_loss` when the file ends or says what cannot be. */
export class GgufCursor {
  /** Bytes that were read. */
  position = 0;
  readonly #source: ByteSource;
  #window = new Uint8Array(0);
  #windowStart = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** What errors call the file. */
  get name(): string {
    return this.#source.name;
  }

  damaged(what: string): MillraceError {
    return new MillraceError('data_loss', `${this.name} is not a usable GGUF file: ${what} (at byte ${this.position})`);
  }

  async uint32(): Promise<number> {
    return (await this.#take(4)).getUint32(0, true);
  }

  /** An unsigned integer of 64 bits. */
  async natural(): Promise<number> {
    return this.#safe((await this.#take(8)).getBigUint64(0, true));
  }

  /** Number of things that take at least `leastBytes` each: not more than the file has place for. */
  async count(leastBytes: number, what: string): Promise<number> {
    const count = await this.natural();
    if (count * leastBytes > this.#left()) throw this.damaged(`it is too short for ${count} ${what}`);
    return count;
  }

  async string(): Promise<string> {
    const length = await this.count(1, 'bytes of a string');
    const { buffer, byteOffset } = await this.#take(length);
    return Buffer.from(buffer, byteOffset, length).toString('utf8');
  }

  /** A value of a type that the format numbers. @param key - what messages call it */
  async value(type: number, key: string, depth = 0): Promise<GgufValue> {
    if (type === STRING) return this.string();
    if (type === ARRAY) return this.#array(key, depth + 1);
    const { bytes, read } = this.#fixed(type, key);
    return this.#plain(read(await this.#take(bytes), 0));
  }

  async #array(key: string, depth: number): Promise<GgufValue> {
    const type = await this.uint32();
    if (depth > DEEPEST_ARRAY) throw this.damaged(`${key} has arrays within arrays`);
    const nested = type === STRING || type === ARRAY;
    const size = nested ? 8 : this.#fixed(type, key).bytes;
    const count = await this.count(size, `entries of ${key}`);
    if (count > LONGEST_ARRAY) throw this.damaged(`${key} has ${count} entries`);
    const values: GgufValue[] = [];
    if (nested) {
      for (let i = 0; i < count; i++) values.push(await this.value(type, key, depth));
      return values;
    }
    const { bytes, read } = this.#fixed(type, key);
    const view = await this.#take(count * bytes);
    for (let i = 0; i < count; i++) values.push(this.#plain(read(view, i * bytes)));
    return values;
  }

  #fixed(type: number, key: string): { bytes: number; read: Read } {
    const fixed = FIXED[type];
    if (fixed === undefined) throw this.damaged(`${key} is of unknown type ${type}`);
    return fixed;
  }

  #plain(value: number | bigint | boolean): GgufValue {
    return typeof value === 'bigint' ? this.#safe(value) : value;
  }

  #safe(value: bigint): number {
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw this.damaged(`${value} is too large a number`);
    return number;
  }

  #left(): number {
    return Math.min(this.#source.size, LARGEST_HEADER) - this.position;
  }

  /** The next bytes. The view is valid until the next call. */
  async #take(length: number): Promise<DataView> {
    if (length > this.#left()) throw this.damaged('its header is cut off, or larger than 100 MB');
    let at = this.position - this.#windowStart;
    if (at + length > this.#window.length) {
      const size = Math.min(this.#source.size - this.position, Math.max(length, WINDOW));
      this.#window = (await this.#source.read(this.position, size)) as Uint8Array<ArrayBuffer>;
      this.#windowStart = this.position;
      at = 0;
    }
    this.position += length;
    return new DataView(this.#window.buffer, this.#window.byteOffset + at, length);
  }
}
