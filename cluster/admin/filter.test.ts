import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFilter } from './filter.ts';
import type { JobListing } from './job-listing.ts';
import { parseOrderBy } from './order-by.ts';

const T = Date.parse('2026-05-01T00:00:00Z');

function listing(part: Partial<JobListing>): JobListing {
  const times = { createTime: T, startTime: undefined, endTime: undefined };
  const rest = {
    flow: '/flows/a.ts',
    owner: 'ana',
    priority: 0,
    revision: 1,
    view: () => Promise.reject(new Error('not asked')),
  };
  return { id: 'a-1', name: 'a', state: 'QUEUED', ...times, ...rest, ...part };
}

describe('parseFilter', () => {
  const jobs = [
    listing({ id: 'retail-1', state: 'RUNNING', startTime: T + 1000 }),
    listing({ id: 'retail-2', owner: 'bo', priority: 5, createTime: T + 86_400_000 }),
    listing({ id: 'chess-1', state: 'FAILED', owner: 'bo', priority: -5, startTime: T, endTime: T + 5 }),
    listing({ id: 'say "x"', owner: 'c d' }),
  ];
  it.each([
    ['', [0, 1, 2, 3]],
    ['state=RUNNING', [0]],
    ['state = running OR state=FAILED', [0, 2]],
    ['owner="bo" AND state!=FAILED', [1]],
    // OR binds closer than AND.
    ['owner=bo AND state=FAILED OR state=RUNNING', [2]],
    ['(owner=bo AND state=FAILED) OR state=RUNNING', [0, 2]],
    ['NOT owner=bo', [0, 3]],
    ['NOT (owner=bo OR id=retail-1)', [3]],
    ['id="retail*"', [0, 1]],
    ['id=*-1', [0, 2]],
    ['id="*tai*"', [0, 1]],
    ['id="say \\"x\\""', [3]],
    ['owner="c d"', [3]],
    ['priority>=0 AND priority<5', [0, 3]],
    ['priority=-5', [2]],
    ['create_time>"2026-05-01T12:00:00Z"', [1]],
    // What has not happened is neither before nor after.
    ['start_time>"2020-01-01T00:00:00Z"', [0, 2]],
    ['end_time!="2020-01-01T00:00:00Z"', [0, 1, 2, 3]],
  ])('%s', (filter, expected) => {
    const isWanted = parseFilter(filter);
    expect(jobs.flatMap((job, i) => (isWanted(job) ? [i] : []))).toEqual(expected);
  });

  it.each([
    ['colour=red', /"colour" is no field .* id, name, flow, state/],
    ['state=SLEEPING', /column 7: state takes one of QUEUED, RUNNING/],
    ['state>RUNNING', /state takes = and !=/],
    ['priority=high', /priority takes a number/],
    ['create_time>yesterday', /create_time takes a time/],
    ['owner', /the end: expected one of = !=/],
    ['owner=', /the end: expected a value/],
    ['owner="bo', /column 7: a text without its closing quote/],
    ['owner=bo state=FAILED', /column 10: expected AND or the end, got "state"/],
    ['(owner=bo', /the end: expected "\)"/],
    ['owner=bo)', /column 9/],
    ['AND', /"AND" is no field/],
    ['('.repeat(50), /nested more than 20/],
    ['x'.repeat(2001), /2001 characters/],
  ])('refuses %s', (filter, message) => {
    expect(() => parseFilter(filter)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field: 'filter', message: expect.stringMatching(message) as string }),
    );
  });

  it('takes or refuses any text, and nothing else happens', () => {
    const piece = fc.constantFrom(
      'state',
      'owner',
      '=',
      '!=',
      '<',
      '(',
      ')',
      '"',
      'AND',
      'OR',
      'NOT',
      ' ',
      '*',
      '\\',
      'RUNNING',
      '7',
      'é',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        try {
          expect(typeof parseFilter(pieces.join(''))(jobs[0]!)).toBe('boolean');
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'invalid_argument', field: 'filter' });
        }
      }),
    );
  });
});

describe('parseOrderBy', () => {
  it('orders by several fields, what is absent first, and by id at last', () => {
    const jobs = [
      listing({ id: 'b', priority: 1, endTime: 5 }),
      listing({ id: 'a', priority: 1 }),
      listing({ id: 'c', priority: 2 }),
      listing({ id: 'd', priority: 1 }),
    ];
    const sorted = (orderBy: string): string => {
      const order = parseOrderBy(orderBy);
      return jobs
        .map((job) => ({ job, key: order.key(job) }))
        .sort((x, y) => order.compare(x.key, y.key))
        .map(({ job }) => job.id)
        .join('');
    };
    expect(sorted('priority desc, end_time')).toBe('cadb');
    expect(sorted('priority, end_time desc')).toBe('bdac');
    expect(sorted('id')).toBe('abcd');
  });

  it.each(['priority up', 'colour', 'id,,id', 'id,id,id,id,id,id'])('refuses %s', (orderBy) => {
    expect(() => parseOrderBy(orderBy)).toThrow(expect.objectContaining({ code: 'invalid_argument', field: 'order_by' }));
  });
});
