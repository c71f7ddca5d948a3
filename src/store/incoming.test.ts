import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Incoming } from './incoming.ts';

describe('Incoming', () => {
  const parent = mkdtempSync(join(tmpdir(), 'millrace-incoming-test-'));
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  const pathOf = (literal: string): string => literal.slice(1, -1).replaceAll(/\\(.)/g, '$1');

  it('keeps a file for as long as an insert takes, also one that fails', async () => {
    const incoming = new Incoming(parent);
    const files: string[] = [];
    const seen = await incoming.hand(Buffer.from('rows'), async (file) => {
      files.push(pathOf(file));
      return readFileSync(files[0]!, 'utf8');
    });
    expect(seen).toBe('rows');
    const failing = incoming.hand(Buffer.from('rows'), (file) => {
      files.push(pathOf(file));
      return Promise.reject(new Error('refused'));
    });
    await expect(failing).rejects.toThrow('refused');
    expect(new Set(files.map((file) => dirname(file)))).toEqual(new Set([join(parent, 'incoming')]));
    expect(new Set(files).size).toBe(2);
    expect(readdirSync(join(parent, 'incoming'))).toEqual([]);
    incoming.close();
    expect(existsSync(join(parent, 'incoming'))).toBe(false);
  });

  it('clears away what a killed process left', async () => {
    mkdirSync(join(parent, 'incoming'));
    writeFileSync(join(parent, 'incoming', '17.gz'), 'old');
    const incoming = new Incoming(parent);
    expect(await incoming.hand(Buffer.from('x'), (file) => Promise.resolve(readdirSync(dirname(pathOf(file)))))).toEqual([
      '1.gz',
    ]);
    incoming.close();
  });

  it('quotes names, and uses another folder where the name would be a pattern', async () => {
    const quoted = join(parent, "ann's");
    const pattern = join(parent, 'run{1,2}');
    for (const folder of [quoted, pattern]) mkdirSync(folder);
    const where = async (folder: string): Promise<string> => {
      const incoming = new Incoming(folder);
      const file = await incoming.hand(Buffer.from('x'), (literal) => Promise.resolve(literal));
      incoming.close();
      return file;
    };
    expect(await where(quoted)).toBe(`'${parent}/ann\\'s/incoming/1.gz'`);
    expect(await where(pattern)).toMatch(/millrace-incoming-\w+\/1\.gz'$/);
  });
});
