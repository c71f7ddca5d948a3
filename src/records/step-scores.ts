import { packRows, unpackRows } from './pack.ts';
import { TABLES } from './tables.ts';

/** What a step was worth; null where that is not known. */
export interface StepScore {
  reward: number | null;
  advantage: number | null;
}

/** How many columns a row has before it is scored, where it ends there. */
const UNSCORED = TABLES.steps.columns.indexOf('step_reward');
/** Rows of generated decisions have all columns. */
const COMPLETE = TABLES.steps.columns.length;
const [NEWLINE, BRACKET] = [10, 93];

/**
 * Rows of `encodeStepRows` with reward and advantage of each step, packed. They are put at the end of each line, which is not read. Rows
 * that are not as many as the scores, and those of older builds, which end before other columns, stay as they are.
 */
export function scoreStepRows(rows: Uint8Array, scores: readonly StepScore[]): Uint8Array {
  const lines = readable(rows);
  const ends = lineEnds(lines);
  const width = ends.length > 0 && ends.length === scores.length ? widthOf(lines.subarray(0, ends[0])) : 0;
  if (width === COMPLETE) return packRows(scoreComplete(lines, scores) ?? rows);
  if (width !== UNSCORED) return packRows(rows);
  const tails = tailsOf(scores);
  const scored = Buffer.allocUnsafe(lines.length + tails.reduce((sum, tail) => sum + tail.length, 0));
  let at = 0;
  let start = 0;
  for (let i = 0; i < ends.length; i += 1) {
    // Without the bracket that closes it, which the tail has.
    const end = ends[i]! - 1;
    scored.set(lines.subarray(start, end), at);
    at += end - start;
    at += scored.write(tails[i]!, at, 'latin1');
    start = ends[i]! + 1;
  }
  return packRows(scored.subarray(0, at));
}

/** Rows with all columns, which have to be read. Undefined where they are not what they should be. */
function scoreComplete(lines: Uint8Array, scores: readonly StepScore[]): Uint8Array | undefined {
  let text = '';
  for (const [i, line] of Buffer.from(lines).toString().trimEnd().split('\n').entries()) {
    const values = valuesOf(line);
    const { reward, advantage } = scores[i]!;
    if (values.length !== COMPLETE || values[UNSCORED] !== null || values[UNSCORED + 1] !== null) return undefined;
    values.splice(UNSCORED, 2, JSON.parse(numberText(reward)), JSON.parse(numberText(advantage)));
    text += `${JSON.stringify(values)}\n`;
  }
  return Buffer.from(text);
}

/** The lines of rows; none of damaged ones, which the store will refuse. */
function readable(rows: Uint8Array): Uint8Array {
  try {
    return unpackRows(rows);
  } catch {
    return new Uint8Array();
  }
}

/** Where each line ends in a bracket and a line feed. */
function lineEnds(lines: Uint8Array): number[] {
  const ends: number[] = [];
  for (let at = lines.indexOf(NEWLINE); at > 0 && lines[at - 1] === BRACKET; at = lines.indexOf(NEWLINE, at + 1)) ends.push(at);
  return ends;
}

/** How many values a line has; none where it is no list. */
function widthOf(line: Uint8Array): number {
  return valuesOf(Buffer.from(line).toString()).length;
}

function valuesOf(line: string): unknown[] {
  try {
    const values: unknown = JSON.parse(line);
    return Array.isArray(values) ? values : [];
  } catch {
    return [];
  }
}

/** What each line ends with. Neighbours mostly have the same. */
function tailsOf(scores: readonly StepScore[]): string[] {
  let [reward, advantage, tail]: [number | null, number | null, string] = [NaN, NaN, ''];
  return scores.map((score) => {
    if (score.reward !== reward || score.advantage !== advantage) {
      ({ reward, advantage } = score);
      tail = `,${numberText(reward)},${numberText(advantage)}]\n`;
    }
    return tail;
  });
}

/** With the digits of a number of 32 bits. */
function numberText(value: number | null): string {
  return value === null || !Number.isFinite(value) ? 'null' : String(Number(value.toPrecision(9)));
}
