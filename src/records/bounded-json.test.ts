import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedJson } from './bounded-json.ts';

const bytes = (text: string): number => Buffer.byteLength(text);

describe('boundedJson', () => {
  it('writes what fits as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'small' }), (value) => {
        const json = JSON.stringify(value);
        expect(JSON.parse(boundedJson(value, 2 * bytes(json) + 100))).toEqual(JSON.parse(json));
      }),
    );
  });

  it('never takes more than its bytes, and is always JSON', () => {
    const values = fc.object({
      maxDepth: 4,
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      values: [
        fc.string({ unit: 'binary' }),
        fc.string({ unit: fc.constantFrom('"', '\u0000', '€', '\ud800', '😀') }),
        fc.double(),
      ],
    });
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 300 }), (value, most) => {
        const json = boundedJson(value, most);
        expect(bytes(json)).toBeLessThanOrEqual(Math.max(16, most));
        expect(() => JSON.parse(json) as unknown).not.toThrow();
        expect(json.isWellFormed()).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('marks what it leaves out', () => {
    expect(boundedJson('a'.repeat(100), 20)).toBe('"aaaaaaaaaaaaaaa…"');
    expect(boundedJson([1, 2, 3, 4, 5, 6, 7, 8, 9], 16)).toBe('[1,2,"…"]');
    expect(boundedJson({ first: 'one', second: 'two', third: 3 }, 40)).toBe('{"first":"one","…":"…"}');
    const deep = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner], 1);
    expect(boundedJson(deep, 1000)).toBe(`${'['.repeat(16)}"…"${']'.repeat(16)}`);
  });

  it('shows what JSON cannot hold', () => {
    const itself: Record<string, unknown> = { a: 1 };
    itself['self'] = itself;
    expect(boundedJson(itself, 100)).toBe('{"a":1,"self":"[contains itself]"}');
    const kinds = { nan: NaN, far: -Infinity, big: 12n, map: new Map([['a', 1]]), set: new Set([1]), none: undefined, f() {} };
    expect(boundedJson(kinds, 200)).toBe('{"nan":"NaN","far":"-Infinity","big":"12","map":[["a",1]],"set":[1]}');
    expect(boundedJson(new Date(0), 100)).toBe('"1970-01-01T00:00:00.000Z"');
    expect(boundedJson(Buffer.from([1, 2]), 100)).toBe('[1,2]');
    expect(boundedJson([undefined, () => 0], 100)).toBe('[null,null]');
    expect(boundedJson(undefined, 100)).toBe('null');
    expect(boundedJson('\ud800!', 100)).toBe('"\ufffd!"');
    expect(boundedJson(10n ** 100_000n, 100)).toBe('"[a large BigInt]"');
  });

  it('goes on where something throws', () => {
    const hostile = {
      get bad(): never {
        throw new Error('no entry');
      },
      json: {
        toJSON(): never {
          // eslint-disable-next-line @typescript-eslint/only-throw-error
          throw { toString: null };
        },
      },
      proxy: new Proxy(
        {},
        {
          ownKeys() {
            throw new TypeError('trapped');
          },
        },
      ),
      good: 1,
    };
    const shown = '{"bad":"[throws: no entry]","json":"[throws]","proxy":"[throws: trapped]","good":1}';
    expect(boundedJson(hostile, 200)).toBe(shown);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(boundedJson(proxy, 200)).toContain('[throws');
  });

  it('ends with values that have no end', () => {
    const endless: ProxyHandler<object> = {
      get: (_, name) => (name === 'toJSON' ? undefined : name === 'length' ? Infinity : new Proxy([], endless)),
      getPrototypeOf: () => new Proxy({}, endless),
    };
    expect(bytes(boundedJson(new Proxy([], endless), 500))).toBeLessThanOrEqual(500);
    expect(bytes(boundedJson(new Proxy({}, endless), 500))).toBeLessThanOrEqual(500);
    const again = { toJSON: (): object => ({ ...again }) };
    expect(JSON.parse(boundedJson(again, 500))).toBe('…');
    const huge = { text: 'x'.repeat(5_000_000), list: new Float64Array(1_000_000) };
    expect(bytes(boundedJson(huge, 500))).toBeLessThanOrEqual(500);
  });
});
