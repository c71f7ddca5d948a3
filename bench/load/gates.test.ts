import { describe, expect, it } from 'vitest';
import { checkGates, gatesOf, parseGate } from './gates.ts';
import { gateLines } from './table.ts';

describe('parseGate', () => {
  it('reads figure, operator and number', () => {
    expect(parseGate('ratioToRawInsert>=0.8')).toEqual({ figure: 'ratioToRawInsert', operator: '>=', bound: 0.8 });
    expect(parseGate(' lost == 0 ')).toEqual({ figure: 'lost', operator: '==', bound: 0 });
    expect(parseGate('stepsPerSecond>1e5').bound).toBe(100_000);
  });

  it.each(['', 'lost', 'lost=0', '>=3', 'lost>=', 'lost>=much', 'a b<1'])('refuses "%s"', (text) => {
    expect(() => parseGate(text)).toThrow(/--gate/);
  });
});

it('puts given gates in the place of defaults for the same figure', () => {
  const gates = gatesOf(['lost==0', 'ratio>=0.8'], ['ratio>=0.5', 'ratio<=1.1', 'steps>10'], ['lost', 'ratio', 'steps']);
  expect(gates.map(({ figure, operator, bound }) => `${figure}${operator}${bound}`)).toEqual([
    'lost==0',
    'ratio>=0.5',
    'ratio<=1.1',
    'steps>10',
  ]);
});

it('refuses a gate on what is not measured', () => {
  expect(() => gatesOf([], ['loss==0'], ['lost', 'steps'])).toThrow('--gate: "loss" is none of lost, steps');
});

describe('checkGates', () => {
  it.each([
    ['a>=2', true],
    ['a>=2.1', false],
    ['a<=2', true],
    ['a<2', false],
    ['a>1', true],
    ['a==2', true],
    ['a==3', false],
  ])('%s of 2: %s', (text, kept) => {
    expect(checkGates([parseGate(text)], { a: 2 })[0]).toMatchObject({ kept, measured: 2 });
  });

  it('keeps no gate whose figure was not measured', () => {
    const results = checkGates([parseGate('a<=1'), parseGate('b<=1')], { a: NaN, b: 'none' });
    expect(results.map(({ kept }) => kept)).toEqual([false, false]);
  });

  it('is printed as a table', () => {
    const lines = gateLines(
      checkGates([parseGate('lost==0'), parseGate('rate>=100000'), parseGate('p99<=2')], { lost: 0, rate: 5 }),
    );
    expect(lines).toEqual([
      'gate       bound      measured',
      'lost        == 0             0  pass',
      'rate  >= 100,000             5  FAIL',
      'p99         <= 2  not measured  FAIL',
    ]);
  });
});
