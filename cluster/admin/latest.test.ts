import { describe, expect, it } from 'vitest';
import { latest } from './latest.ts';

const never = new AbortController().signal;

describe('latest', () => {
  it('hands on everything to a consumer that keeps up', async () => {
    const seen: number[] = [];
    const source = async function* () {
      for (let i = 0; i < 4; i++) {
        yield i;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    for await (const value of latest(source(), never)) seen.push(value);
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it('skips to the newest for a slow one, and ends with the last value', async () => {
    const source = async function* () {
      for (let i = 0; i < 100; i++) yield await Promise.resolve(i);
    };
    const values = latest(source(), never);
    const seen: number[] = [];
    for await (const value of values) {
      seen.push(value);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(seen.at(-1)).toBe(99);
    expect(seen.length).toBeLessThan(5);
  });

  it('throws the error of the source after its last value', async () => {
    const source = async function* () {
      yield await Promise.resolve('last words');
      throw new Error('gone');
    };
    const values = latest(source(), never);
    await new Promise((resolve) => setImmediate(resolve));
    expect((await values.next()).value).toBe('last words');
    await expect(values.next()).rejects.toThrow('gone');
  });

  it('ends when the signal aborts although the source does not stir', async () => {
    const controller = new AbortController();
    const source = async function* (): AsyncGenerator<number> {
      await new Promise(() => {});
      yield 1;
    };
    const next = latest(source(), controller.signal).next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });
});
