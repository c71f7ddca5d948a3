import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spreadJobs } from './spread.ts';

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 5 });
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `job-${i}`);

describe('spreadJobs', () => {
  it('gives each job to the server with the fewest', () => {
    const loads = new Map([
      ['b', 0],
      ['a', 2],
    ]);
    expect([...spreadJobs(['1', '2', '3', '4', '5'], loads)]).toEqual([
      ['1', 'b'],
      ['2', 'b'],
      ['3', 'a'],
      ['4', 'b'],
      ['5', 'a'],
    ]);
  });

  it('leaves no server with two more than another that began with as many', () => {
    fc.assert(
      fc.property(names, fc.nat(40), (servers, count) => {
        const counts = new Map(servers.map((server) => [server, 0]));
        for (const server of spreadJobs(numbered(count), new Map(counts)).values()) counts.set(server, counts.get(server)! + 1);
        expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is the same whether jobs ahead are known to be taken or not', () => {
    fc.assert(
      fc.property(names, fc.nat(20), fc.nat(20), (servers, count, taken) => {
        const waiting = numbered(count);
        const none = new Map(servers.map((server) => [server, 0]));
        const all = spreadJobs(waiting, none);
        const loads = new Map(none);
        for (const job of waiting.slice(0, taken)) loads.set(all.get(job)!, loads.get(all.get(job)!)! + 1);
        for (const [job, server] of spreadJobs(waiting.slice(taken), loads)) expect(all.get(job)).toBe(server);
      }),
    );
  });
});
