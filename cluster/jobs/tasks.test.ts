import { expect, it } from 'vitest';
import { checkFits } from './tasks.ts';

const task = (text: string) => ({ id: 'a', key: 'a', json: JSON.stringify(text), origin: 't.jsonl:3' });

it('refuses tasks that a request of this cluster cannot carry, by bytes', () => {
  expect(() => checkFits([task('x'.repeat(5_000)), task('é'.repeat(2_950))], 10_000)).not.toThrow();
  expect(() => checkFits([task('x'), task('é'.repeat(2_955))], 10_000)).toThrow(
    /t\.jsonl:3: task 'a' in a request is 10,008 bytes, and a message is at most 10,000/,
  );
});
