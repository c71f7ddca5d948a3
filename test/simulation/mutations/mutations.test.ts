import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PACKAGE_FOLDER } from '../../../src/installation.ts';
import { mutations } from './all.ts';
import { mutated } from './mutation.ts';

describe('mutations', () => {
  it.each(mutations.map((mutation) => [mutation.name, mutation] as const))('%s applies to the code as it is', (_, mutation) => {
    const source = readFileSync(join(PACKAGE_FOLDER, mutation.file), 'utf8');
    expect(mutated(source, mutation)).not.toBe(source);
  });

  it('have names of their own', () => {
    const names = mutations.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  it('are those in docs/simulation.md', () => {
    const page = readFileSync(join(PACKAGE_FOLDER, 'docs', 'simulation.md'), 'utf8');
    const listed = [...page.matchAll(/^\| `([a-z0-9-]+)` +\| .+ \| +(\d+|–) \|/gm)].map(([, name]) => name);
    expect(listed).toEqual(mutations.map(({ name }) => name));
  });

  it('says which one does not apply, and to which file', () => {
    const mutation = { ...mutations[0]!, edits: [{ find: 'e', replace: 'x' }] };
    expect(() => mutated('seven', mutation)).toThrow(`${mutation.name} does not apply: "e" is 2 times in ${mutation.file}`);
    expect(() => mutated('nothing', mutation)).toThrow('is 0 times');
  });
});
