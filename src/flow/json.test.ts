import fc from 'fast-check';
import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { copyAsJson } from './json.ts';

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
}

const cyclic: Record<string, unknown> = { id: 'a' };
cyclic['inner'] = [{ back: cyclic }];
let deep: unknown = [];
for (let i = 0; i < 200_000; i++) deep = [deep];

describe('copyAsJson', () => {
  it('gives any JSON value back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy = copyAsJson(value, { loneSurrogates: true });
        expect(copy).toEqual({ json: JSON.stringify(value), value: JSON.parse(JSON.stringify(value)) });
      }),
    );
  });

  it('drops undefined properties and turns -0 into 0', () => {
    const copy = copyAsJson({ a: undefined, b: -0, c: [{ d: undefined }], e: Object.create(null) as object });
    expect(copy).toStrictEqual({ json: '{"b":0,"c":[{}],"e":{}}', value: { b: 0, c: [{}], e: {} } });
    expect(copyAsJson(runInContext('({ a: [1, { b: 2 }] })', createContext({})))).toMatchObject({ json: '{"a":[1,{"b":2}]}' });
  });

  it.each<[string, unknown, string]>([
    ['Date', { at: [new Date(0)] }, '$.at[0]'],
    ['bigint', { n: { big: 1n } }, '$.n.big'],
    ['NaN', [1, NaN], '$[1]'],
    ['Infinity', { a: -Infinity }, '$.a'],
    ['Map', { map: new Map([[1, 2]]) }, '$.map'],
    ['Set', { set: new Set([1]) }, '$.set'],
    ['WeakMap', { set: new WeakMap() }, '$.set'],
    ['function', { 'odd key': () => 1 }, '$["odd key"]'],
    ['symbol', { s: Symbol('x') }, '$.s'],
    ['symbol key', { a: { [Symbol('x')]: 1 } }, '$.a'],
    ['hidden property', { a: Object.defineProperty({}, 'b', { value: 1 }) }, '$.a.b'],
    ['typed array', { v: new Float32Array(2) }, '$.v'],
    ['Buffer', { v: Buffer.from('x') }, '$.v'],
    ['ArrayBuffer', { v: new ArrayBuffer(2) }, '$.v'],
    ['RegExp', { r: /x/ }, '$.r'],
    ['Error', { e: new Error('x') }, '$.e'],
    ['URL', { u: new URL('http://localhost') }, '$.u'],
    ['boxed number', { n: Object(1) as unknown }, '$.n'],
    ['promise', { p: Promise.resolve() }, '$.p'],
    ['class', { price: new Money(3) }, '$.price'],
    ['toJSON', { a: { toJSON: () => 1 } }, '$.a'],
    ['hole', { list: [1, , 3] }, '$.list[1]'],
    ['undefined in a list', [undefined], '$[0]'],
    ['list with properties', { l: Object.assign([1], { extra: 1 }) }, '$.l'],
    ['cycle', cyclic, '$.inner[0].back'],
    ['half an emoji', { text: ['😀'.slice(0, 1)] }, '$.text[0]'],
    ['half an emoji as a name', { ['😀'.slice(1)]: 1 }, '$["\\ude00"]'],
    ['nothing', undefined, '$'],
    ['depth', deep, '$'],
  ])('refuses %s and says where', (_, value, path) => {
    const copy = copyAsJson(value);
    expect(copy).toEqual({ problem: expect.any(String) as string, path });
  });

  it('is not stopped by values that throw when they are read', () => {
    const evil = Object.defineProperty({}, 'x', {
      enumerable: true,
      get() {
        throw new Error('not today');
      },
    });
    expect(copyAsJson(evil)).toEqual({ problem: 'it cannot be read: not today', path: '$' });
  });

  it('takes the same object twice: only a cycle is refused', () => {
    const shared = { a: 1 };
    expect(copyAsJson([shared, shared])).toMatchObject({ json: '[{"a":1},{"a":1}]' });
  });
});
