import { seededRandom, type Random } from 'millrace';
import type { Problem } from '../problem.ts';
import { ASIDES, KINDS, type Kind } from './stories.ts';
import { HOLDERS, PEOPLE, PLACES, THINGS } from './words.ts';

/** Share of the problems with a number that is not needed. */
const ASIDE_SHARE = 0.2;

/** Makes up `count` problems; the same ones for the same seed. */
export function generate(count: number, seed: number): Problem[] {
  const random = seededRandom(seed).fork('word problems');
  return Array.from({ length: count }, (_, i) => makeUp(`made-up-${i}`, random.fork(i)));
}

function makeUp(id: string, random: Random): Problem {
  const kind = pick(KINDS, random);
  const values = draw(kind, random);
  const sentences = pick(kind.stories, random).map((ways) => pick(ways, random));
  if (random.uniform() < ASIDE_SHARE) sentences.splice(random.integer(sentences.length - 1), 0, pick(ASIDES, random));
  const text = dress(sentences.join(' '), random);
  const numbers: number[] = [];
  const question = text.replace(/\{([abcdx])\}/g, (_, name: string) => {
    numbers.push(name === 'x' ? 2 + random.integer(60) : (values[name as 'a' | 'b' | 'c' | 'd'] ?? 0));
    return `number${numbers.length - 1}`;
  });
  return { id, question, numbers, answer: values.answer };
}

function draw(kind: Kind, random: Random): ReturnType<Kind['numbers']> {
  return kind.numbers((low, high) => low + random.integer(Math.max(1, high - low + 1)));
}

/** Fills in names, things and places; the same ones throughout a problem. */
function dress(text: string, random: Random): string {
  const [first, second] = two(PEOPLE, random);
  const [things, others] = two(THINGS, random);
  const [one, many] = pick(HOLDERS, random);
  const words: Record<string, string> = {
    N: first[0],
    P: first[1],
    M: second[0],
    T: things,
    U: others,
    h: one,
    H: many,
    L: pick(PLACES, random),
  };
  const filled = text.replace(/\{([A-Zh])\}/g, (_, name: string) => words[name] ?? '');
  const inside = filled.replace(/(?<=[a-z,] )(She|He)\b/g, (pronoun) => pronoun.toLowerCase());
  return inside.replace(/^[a-z]/, (letter) => letter.toUpperCase());
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.integer(from.length)]!;
}

function two<T>(from: readonly T[], random: Random): [T, T] {
  const i = random.integer(from.length);
  const j = (i + 1 + random.integer(from.length - 1)) % from.length;
  return [from[i]!, from[j]!];
}
