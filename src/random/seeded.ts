import { randomBytes } from 'node:crypto';
import type { Random } from './random.ts';

/**
 * A generator whose whole stream follows from `seed` (a number or any text); `systemRandom` draws a fresh seed instead.
 * sfc32 (Chris Doty-Humphrey, PractRand): 32-bit operations only, period about 2^128. Not for secrets.
 */
export function seededRandom(seed: number | string): Random {
  return new Sfc32(hashSeed(typeof seed === 'number' ? `n${seed}` : `s${seed}`));
}

/** A generator seeded from the operating system: different in every call. */
export function systemRandom(): Random {
  const bytes = randomBytes(16);
  return new Sfc32([bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12)]);
}

/** A 32-bit unsigned integer that depends on every part, for seeds that travel in messages. */
export function seedFrom(...parts: (number | string)[]): number {
  let text = '';
  for (const part of parts) text += `${text === '' ? '' : '\u0000'}${typeof part === 'number' ? 'n' : 's'}${part}`;
  return hashWord(text, 0);
}

type Seed = readonly [number, number, number, number];

/** Four 32-bit words of FNV-1a, each finished with MurmurHash3's finaliser so that near seeds give unrelated streams. */
function hashSeed(text: string): Seed {
  return [hashWord(text, 0), hashWord(text, 0x9e3779b9), hashWord(text, 0x3c6ef372), hashWord(text, 0xdaa66d2b)];
}

function hashWord(text: string, basis: number): number {
  let h = (0x811c9dc5 ^ basis) >>> 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    h = Math.imul(h ^ (unit & 0xff), 0x01000193);
    h = Math.imul(h ^ (unit >>> 8), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

class Sfc32 implements Random {
  readonly #seed: Seed;
  #a: number;
  #b: number;
  #c: number;
  #counter: number;
  #spareNormal: number | undefined;

  constructor(seed: Seed) {
    this.#seed = seed;
    [this.#a, this.#b, this.#c] = seed;
    this.#counter = seed[3] | 1;
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** 32 random bits. */
  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  uniform(): number {
    // 53 bits, as many as a double holds below 1.
    return ((this.#next() >>> 5) * 67108864 + (this.#next() >>> 6)) / 9007199254740992;
  }

  integer(n: number): number {
    if (!(n >= 1) || !Number.isSafeInteger(n)) throw new RangeError(`integer(n) needs an integer n >= 1, got ${n}`);
    return Math.floor(this.uniform() * n);
  }

  /** Marsaglia's polar method; the second number of each pair is kept for the next call. */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const x = 2 * this.uniform() - 1;
      const y = 2 * this.uniform() - 1;
      const s = x * x + y * y;
      if (s >= 1 || s === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spareNormal = y * scale;
      return x * scale;
    }
  }

  fork(label: string | number): Random {
    return new Sfc32(hashSeed(`${this.#seed.join(',')}/${typeof label === 'number' ? 'n' : 's'}${label}`));
  }
}
