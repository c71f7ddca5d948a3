import { ESLint, Linter } from 'eslint';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { classLength } from './class-length.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const problems = (code, ...options) =>
  new Linter()
    .verify(code, { plugins: { own: { rules: { length: classLength } } }, rules: { 'own/length': ['error', ...options] } })
    .map(({ line, message }) => `${line}: ${message}`);
const classOf = (lines, head = 'class A') => `${head} {\n${'  x;\n'.repeat(lines - 2)}}`;

describe('the rule of class lengths', () => {
  it('lets classes have as many lines as it says, 200 by default', () => {
    expect(problems(classOf(200))).toEqual([]);
    expect(problems(classOf(201))).toEqual(['1: class A has 201 lines; at most 200 are allowed: split it by concern']);
    expect(problems(classOf(4), { max: 3 })).toHaveLength(1);
  });

  it('sees classes without a name and inside others', () => {
    expect(problems(`void (${classOf(4, 'class')});`, { max: 3 })).toEqual([expect.stringMatching(/^1: this class has 4 lines/)]);
    expect(problems(`function f() {\n${classOf(4, 'return class B')}\n}`, { max: 3 })).toEqual([
      expect.stringMatching(/^2: class B/),
    ]);
  });
});

describe('the limits of src and cluster', () => {
  const rulesOf = async (file) => (await new ESLint({ cwd: root }).calculateConfigForFile(`${root}/${file}`)).rules;
  const limits = ['millrace/class-length', 'max-lines-per-function', 'max-params'];

  it('are errors: 200 lines a class, 60 a function, 4 parameters', async () => {
    const rules = await rulesOf('src/jobs/job-machine.ts');
    expect(limits.map((rule) => rules[rule]?.[0])).toEqual([2, 2, 2]);
    expect([rules['max-lines-per-function'][1].max, rules['max-params'][1].max]).toEqual([60, 4]);
  });

  it('leave the length of functions in tests and conformance suites alone', async () => {
    for (const file of ['src/jobs/round.test.ts', 'src/conformance/bus.ts']) {
      const rules = await rulesOf(file);
      expect(limits.map((rule) => rules[rule]?.[0] ?? 0)).toEqual([2, 0, 2]);
    }
  });
});
