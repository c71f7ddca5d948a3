/** For the tests of this folder only. */
import { spawnSync } from 'node:child_process';
import type { Random } from '../../src/random/random.ts';
import { ROOT } from './child.ts';
import type { Hello } from './protocol.ts';

/** The arrays of an answer by name. */
export type Arrays = Record<string, number[]>;

/** Reads an answer's arrays. */
export function arraysOf(payload: Uint8Array, fields: Hello['answers']['standing']): Arrays {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  let at = 4 + 4 * fields.length;
  const arrays = fields.map(([name, type], index): [string, number[]] => {
    const from = at;
    const length = view.getInt32(4 + 4 * index, true);
    at += 4 * length;
    const read = (i: number): number =>
      type === 'int32' ? view.getInt32(from + 4 * i, true) : view.getFloat32(from + 4 * i, true);
    return [name, Array.from({ length }, (_, i) => read(i))];
  });
  if (view.getInt32(0, true) !== fields.length || at !== payload.length) throw new Error('the answer has other arrays');
  return Object.fromEntries(arrays);
}

/** A python that imports numpy; undefined where there is none. */
export function pythonWithNumpy(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env['MILLRACE_PYTORCH_PYTHON'];
  const candidates = named === undefined || named === '' ? ['python3', '/usr/bin/python3'] : [named];
  return candidates.find(
    (python) => spawnSync(python, ['-c', 'import numpy'], { timeout: 60_000, stdio: 'ignore' }).status === 0,
  );
}

/** Runs a script of modules in bench/peers on an input; what it prints, read as JSON. */
export function askPython<T>(python: string, script: string, args: readonly string[], input: unknown): T {
  const { stdout, stderr, status } = spawnSync(python, ['-c', script, ...args], {
    ...{ cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 29, input: JSON.stringify(input) },
    env: { ...process.env, PYTHONPATH: 'bench/peers', PYTHONDONTWRITEBYTECODE: '1' },
  });
  if (status !== 0 || stderr !== '') throw new Error(`python ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** What messages are made of, and what can go wrong in them. */
const PIECES = [
  ...[
    '{',
    '}',
    '(',
    ')',
    '[',
    ']',
    "'",
    '"',
    '\\',
    ',',
    ':',
    '=',
    '.',
    ';',
    '!',
    '?',
    '\n',
    '\r',
    ' ',
    '\u00a0',
    '\u2003',
    '\ufeff',
    '\u0085',
  ],
  ...[
    '#W12',
    '#W',
    '@',
    'ann@example.org',
    'ÀÉ',
    'ß',
    'ǅ',
    'ſ',
    'K',
    '½',
    '²',
    '漢字',
    'e\u0301',
    '’',
    "it's",
    '1,250.5',
    '99999999999999',
  ],
  ...[
    'my name is Émile Ångström',
    "I'm Ann o'Hara",
    'regards, Bo Li',
    'signed bo li',
    'zip code 12345',
    'postal 54321',
    'zip: #12345',
  ],
  ...[
    'address',
    'my home address',
    'the address on file',
    '12 Elm Street, Unit 4, Tulsa, OK 74101, Canada',
    '1 Öst Väg, Åbo, OK 74101',
  ],
  ...[
    'gift card',
    'PayPal',
    'credit_card_123',
    'card ending in 1234',
    'visa that ends with 4321',
    'the original payment method',
    'paid with',
  ],
  ...[
    'by mistake',
    'no longer needed',
    "don't need",
    'changed my mind',
    'anymore',
    '(size: S, plug: "E:U")',
    "{'a': 'b\\'c', d = e}",
    '()',
  ],
];

/** Messages like those given, taken to pieces and put together wrongly. */
export function oddMessages(messages: readonly string[], random: Random, count: number): string[] {
  const some = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  return Array.from({ length: count }, () => {
    const points = [...some(messages)];
    for (let change = 1 + random.integer(8); change > 0; change--) {
      const at = random.integer(points.length + 1);
      const other = [...some(messages)].slice(at, at + random.integer(40));
      const put = random.uniform() < 0.7 ? [some(PIECES)] : other;
      points.splice(at, random.uniform() < 0.4 ? random.integer(20) : 0, ...put);
    }
    return points.join('');
  });
}
