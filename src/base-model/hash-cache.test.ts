import { mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HashCache, type TensorHash } from './hash-cache.ts';

let folder: string;
let file: string;
let computed: number;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-hashes-'));
  file = join(folder, 'weights');
  computed = 0;
  await writeFile(file, 'weights');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const NAMES = ['a', 'b'];
const of = (digit: string): TensorHash[] => NAMES.map((name) => [name, digit.repeat(64)]);

async function hashes(digit = '1', options = {}): Promise<readonly TensorHash[]> {
  const cache = new HashCache({ folder: join(folder, 'kept'), leastBytes: 1, settledMs: 0, ...options });
  return cache.hashes([file], NAMES, () => {
    computed += 1;
    return Promise.resolve(of(digit));
  });
}

describe('hashes of tensors', () => {
  it('are computed once for a file, by any process', async () => {
    expect(await hashes()).toEqual(of('1'));
    expect(await hashes('2')).toEqual(of('1'));
    expect(computed).toBe(1);
  });

  it.each<[string, () => Promise<void>]>([
    ['was written again', () => writeFile(file, 'WEIGHTS')],
    ['has another size', () => writeFile(file, 'more weights')],
    [
      'was replaced by one of the same size and time',
      async () => {
        await writeFile(`${file}.new`, 'WEIGHTS');
        await utimes(`${file}.new`, 1000, 1000);
        await rename(`${file}.new`, file);
      },
    ],
  ])('are computed again when the file %s', async (_, change) => {
    await utimes(file, 1000, 1000);
    await hashes();
    await change();
    expect(await hashes('2')).toEqual(of('2'));
  });

  it('are not kept of files that change while they are read', async () => {
    const cache = new HashCache({ folder: join(folder, 'kept'), leastBytes: 1, settledMs: 0 });
    await cache.hashes([file], NAMES, async () => {
      await writeFile(file, 'other');
      return of('1');
    });
    expect(await hashes('2')).toEqual(of('2'));
  });

  it('are not kept of files that have just been written, nor of small ones, nor where nothing can be written', async () => {
    await hashes('1', { settledMs: 60_000 });
    await hashes('1', { leastBytes: 1000 });
    await hashes('1', { folder: join(file, 'no-folder') });
    expect(await hashes('2')).toEqual(of('2'));
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    JSON.stringify([['a', '1'.repeat(64)]]),
    JSON.stringify([
      ['a', 'x'],
      ['b', 'y'],
    ]),
  ])('are computed again where what was kept is damaged: %s', async (text) => {
    await hashes();
    const [kept] = await readdir(join(folder, 'kept'));
    await writeFile(join(folder, 'kept', kept!), text);
    expect(await hashes('2')).toEqual(of('2'));
    expect(JSON.parse(await readFile(join(folder, 'kept', kept!), 'utf8'))).toEqual(of('2'));
  });
});
