import { describe, expect, it } from 'vitest';
import { leavesOf } from './command-tree.ts';
import { EXAMPLES } from './examples.ts';
import { createProgram, main, SHORTCUTS } from './main.ts';

const output = { write: () => true };
const environment = { stdout: output, stderr: output, env: {}, cwd: '/', signal: new AbortController().signal };
const { program } = createProgram(environment);
const leaves = leavesOf(program);
const names = leaves.map(({ path }) => path);

/** Verbs that take away what cannot be restored. */
const DESTROYS = /^(cancel|clear|delete|drop|prune|purge|remove|unregister)$/;
/** Others that do, with one of their options. */
const DESTROYS_TOO = ['doctor', 'cluster check'];

const help = (path: string): string => leaves.find((leaf) => leaf.path === path)!.command.helpInformation();

describe('every command', () => {
  it('says in one line what it does', () => {
    const without = leaves.filter(({ command }) => !/^\S.{5,}[^.]$/.test(command.description()));
    expect(without.map(({ path }) => path)).toEqual([]);
    const nouns = program.commands.filter((command) => command.description() === '');
    expect(nouns.map((command) => command.name())).toEqual([]);
  });

  it('describes its arguments and options', () => {
    const without = leaves.flatMap(({ path, command }) => [
      ...command.registeredArguments.filter(({ description }) => description === '').map((each) => `${path} ${each.name()}`),
      ...command.options
        .filter(({ description, hidden }) => !hidden && description === '')
        .map((each) => `${path} ${each.flags}`),
    ]);
    expect(without).toEqual([]);
  });

  it('has examples in examples.ts, which are of this command', () => {
    expect(
      names.filter((path) => EXAMPLES[path] === undefined),
      'commands to add to examples.ts',
    ).toEqual([]);
    expect(
      Object.keys(EXAMPLES).filter((path) => !names.includes(path)),
      'entries of examples.ts without a command',
    ).toEqual([]);
    for (const [path, lines] of Object.entries(EXAMPLES))
      for (const line of lines) expect(line.startsWith(path), line).toBe(true);
  });

  it('uses in its examples only options that it has', () => {
    const unknown = Object.entries(EXAMPLES).flatMap(([path, lines]) =>
      lines.flatMap((line) =>
        [...line.matchAll(/ (--[a-z][\w-]*|-[a-z])(?= |$|=)/g)]
          .filter(([, flag]) => !help(path).includes(flag!))
          .map(([, flag]) => `${path} ${flag}`),
      ),
    );
    expect(unknown).toEqual([]);
  });

  it('takes -o json, and has no other option of that name', () => {
    const without = names.filter((path) => !help(path).includes('-o, --output <format>'));
    expect(without).toEqual([]);
    const own = leaves.filter(({ command }) => command.options.some(({ short, long }) => short === '-o' || long === '--output'));
    expect(own.map(({ path }) => path)).toEqual([]);
  });

  it('gives a wrong command line as one JSON object with -o json', async () => {
    for (const path of names) {
      let stderr = '';
      const out = { write: (text: string) => (stderr += text) };
      const code = await main([...path.split(' '), '--no-such-option', '-o', 'json'], { ...environment, stderr: out });
      expect([path, code]).toEqual([path, 2]);
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'invalid_argument', reason: 'INVALID_ARGUMENT', exitCode: 2 } });
    }
  });

  it('has --yes where it destroys', () => {
    const destroying = leaves.filter(({ path, command }) => DESTROYS.test(command.name()) || DESTROYS_TOO.includes(path));
    expect(destroying.length).toBeGreaterThan(3);
    const without = destroying.filter(({ command }) => !command.options.some(({ long }) => long === '--yes'));
    expect(
      without.map(({ path }) => path),
      'commands to give --yes, with confirm.ts',
    ).toEqual([]);
  });
});

describe('shortcuts', () => {
  it('are all commands of one word, and take what the command of the noun takes', () => {
    const words = names.filter((path) => !path.includes(' ') && path !== 'completion');
    expect(words.sort()).toEqual(Object.keys(SHORTCUTS).sort());
    for (const [short, long] of Object.entries(SHORTCUTS)) {
      const usage = (path: string): string => help(path).replaceAll(`millrace ${path} `, 'millrace ');
      expect(usage(long), long).toBe(usage(short));
    }
  });
});
