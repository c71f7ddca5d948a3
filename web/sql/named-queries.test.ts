import { expect, it } from 'vitest';
import { filled } from './named-queries.tsx';

it('values stand in a query as SQL, whatever they are', () => {
  const query = {
    ...{ name: 'q', title: 'Q.', sql: 'SELECT {job:String}, {n:UInt32}, {m:UInt32}, {other:String}' },
    parameters: [
      { name: 'n', type: 'UInt32', byDefault: '5', title: 'n' },
      { name: 'm', type: 'UInt32', byDefault: '7', title: 'm' },
    ],
  };
  expect(filled(query, { job: "it's \\", m: '1); DROP' })).toBe(
    "SELECT 'it\\'s \\\\', toUInt32(5), toUInt32('1); DROP'), {other:String}",
  );
});
