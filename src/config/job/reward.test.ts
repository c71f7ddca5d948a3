import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check } from '../problems.ts';
import { BUILT_IN_COMPONENTS, isOutcomeAlone, rewardComponents, rewardSchema } from './reward.ts';

const parse = (value: unknown): ReturnType<typeof rewardComponents> =>
  rewardComponents(check(rewardSchema, value, 'reward', () => undefined));

describe('reward:', () => {
  it('is the outcome alone by default', () => {
    expect(parse({})).toEqual([{ name: 'outcome', weight: 1 }]);
    expect(isOutcomeAlone(parse({}))).toBe(true);
    expect(isOutcomeAlone(parse({ components: [{ name: 'outcome', weight: 2 }] }))).toBe(false);
  });

  it('has default shaping, of which components with the same names replace parts', () => {
    expect(parse({ shaping: 'default' }).map(({ name, weight }) => [name, weight])).toEqual([
      ['outcome', 1],
      ['tool-success', 0.1],
      ['verification', 0.05],
      ['step', -0.01],
    ]);
    const changed = parse({
      shaping: 'default',
      components: [
        { name: 'potential', weight: 1 },
        { name: 'step', weight: 0 },
      ],
    });
    expect(changed.map(({ name, weight }) => [name, weight])).toEqual([
      ['outcome', 1],
      ['tool-success', 0.1],
      ['verification', 0.05],
      ['step', 0],
      ['potential', 1],
    ]);
  });

  it('takes every built-in, modules and names of the flow', () => {
    const components = [
      ...Object.keys(BUILT_IN_COMPONENTS).map((name) => ({ name, weight: 0.5 })),
      { name: 'mine', module: './mine.ts', weight: 0.2, timeoutMs: 100 },
      { name: 'tidy', weight: 3 },
    ];
    expect(parse({ components })).toEqual(components);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'a list without outcome',
      { components: [{ name: 'step', weight: 1 }] },
      /^reward: components: got .*expected a list with \{ name: outcome/,
    ],
    ['an empty list', { components: [] }, /expected a list with \{ name: outcome/],
    [
      'a name twice',
      {
        components: [
          { name: 'outcome', weight: 1 },
          { name: 'outcome', weight: 2 },
        ],
      },
      /components\.1\.name: got "outcome", expected each name once/,
    ],
    ['no weight', { components: [{ name: 'outcome' }] }, /components\.0\.weight is missing/],
    ['a weight that is no number', { components: [{ name: 'outcome', weight: Infinity }] }, /components\.0\.weight/],
    [
      'gamma of another component',
      { shaping: 'default', components: [{ name: 'step', weight: 1, gamma: 0.9 }] },
      /components\.0\.gamma: got 0\.9, expected no gamma/,
    ],
    [
      'a module under a built-in name',
      { components: [{ name: 'outcome', weight: 1, module: './x.ts' }] },
      /components\.0\.module: got "\.\/x\.ts", expected no module, since "outcome" is computed by Millrace/,
    ],
    [
      'a time limit without a module',
      { shaping: 'default', components: [{ name: 'tidy', weight: 1, timeoutMs: 9 }] },
      /components\.0\.timeoutMs: got 9, expected no timeoutMs/,
    ],
    ['an unknown key', { components: [{ name: 'outcome', weight: 1, wait: 2 }] }, /unknown key "components\.0\.wait"/],
    ['unknown shaping', { shaping: 'all' }, /shaping: got "all", expected one of none, default/],
  ])('refuses %s', (_, value, message) => {
    expect(() => parse(value)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: expect.stringMatching(message) }),
    );
  });

  it('has each name once, and the outcome, whatever is configured', () => {
    const component = fc.record({
      name: fc.constantFrom(...Object.keys(BUILT_IN_COMPONENTS), 'tidy', 'brief'),
      weight: fc.double({ min: -10, max: 10, noNaN: true }),
    });
    const config = fc.record(
      { shaping: fc.constantFrom('none', 'default'), components: fc.uniqueArray(component, { selector: ({ name }) => name }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(config, (value) => {
        const parsed = rewardSchema.safeParse(value);
        if (!parsed.success) {
          expect(value.shaping ?? 'none').toBe('none');
          expect(value.components!.some(({ name }) => name === 'outcome')).toBe(false);
          return;
        }
        const names = rewardComponents(parsed.data).map(({ name }) => name);
        expect(new Set(names).size).toBe(names.length);
        expect(names).toContain('outcome');
        for (const { name, weight } of value.components ?? [])
          expect(rewardComponents(parsed.data).find((c) => c.name === name)!.weight).toBe(weight);
      }),
    );
  });
});
