import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actionKey } from './decision.ts';

const call = (tool: string, args: unknown, text = '') => actionKey({ text, calls: [{ tool, arguments: args }] });

describe('actionKey', () => {
  it('is of tool and arguments, not of the wording', () => {
    expect(call('pay', { a: 1, b: [{ d: 1, c: 2 }] }, 'I pay')).toBe(call('pay', { b: [{ c: 2, d: 1 }], a: 1 }, 'paid'));
    expect(call('pay', [1, 2])).not.toBe(call('pay', [2, 1]));
    expect(call('pay', 1)).not.toBe(call('ask', 1));
    expect(call('pay', undefined)).not.toBe(call('pay', null));
  });

  it('is the text where nothing is called', () => {
    expect(actionKey({ text: 'hm', calls: [] })).not.toBe(actionKey({ text: 'ah', calls: [] }));
    expect(actionKey({ text: 'pay {}', calls: [] })).not.toBe(call('pay', {}));
  });

  it('tells any two arguments apart that are not equal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(call('t', a) === call('t', b)).toBe(same);
      }),
    );
  });
});

/** Objects as lists of their fields, in order of name. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ['list', ...value.map(sorted)];
  if (typeof value !== 'object' || value === null) return value;
  return Object.keys(value)
    .sort()
    .map((name) => [name, sorted((value as Record<string, unknown>)[name])]);
}
