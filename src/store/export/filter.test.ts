import { describe, expect, it } from 'vitest';
import { literal } from '../engine.ts';
import { conditionsOf, guardWhere } from './filter.ts';

describe('guardWhere', () => {
  it('takes conditions', () => {
    for (const where of [
      'reward > 0',
      "success AND (steps < 10 OR has(mapKeys(components), 'effort'))",
      "task_id IN ('a', 'b)') -- a comment",
      'task_id IN (SELECT task_id FROM steps WHERE error GROUP BY task_id HAVING count() AS n > 3)',
      'cast(reward AS Float64) > 0.5',
      "match(answer, '[;]') AND array(1)[1] = 1",
      '/* all */ 1',
    ])
      expect(guardWhere(where)).toBe(where);
  });

  it('refuses what does not end where it seems to, and what is more than a condition', () => {
    for (const where of [
      '',
      '-- nothing',
      '1) OR (1',
      '(1',
      '1; DROP TABLE steps',
      '1 UNION ALL SELECT * FROM steps',
      '1 ORDER BY job',
      '1 LIMIT 5',
      '1 SETTINGS readonly = 0',
      '1 FORMAT Null',
      "1 INTO OUTFILE '/tmp/x'",
      'SELECT 1',
      "1 /* '",
      "'",
      '[1)',
      '(1 AS job)',
      "'' AS trajectory_id",
      "cast(('' AS trajectory_id) AS String) = ''",
      '{job:String} = job',
    ])
      expect(() => guardWhere(where), where).toThrow(expect.objectContaining({ code: 'invalid_argument', field: 'where' }));
  });

  it('says what it stumbles over', () => {
    expect(() => guardWhere('1) OR (1')).toThrow('where: the ")" at character 2 closes nothing.');
    expect(() => guardWhere('reward > 0 LIMIT 3')).toThrow('where: LIMIT begins another clause; only a condition goes here.');
    expect(() => guardWhere('1 INTO OUTFILE 2')).toThrow('where: INTO begins another clause; only a condition goes here.');
  });
});

describe('conditionsOf', () => {
  it('gives nothing for everything', () => {
    expect(conditionsOf({})).toEqual([]);
  });

  it('quotes texts and keeps a comment from swallowing what follows', () => {
    expect(conditionsOf({ job: "a' OR 1", task: 'b\\', where: '1 -- all' })).toEqual([
      "job = 'a\\' OR 1'",
      "task_id = 'b\\\\'",
      '(1 -- all\n)',
    ]);
    expect(literal('\0')).toBe("'\\0'");
  });

  it('refuses numbers that are none', () => {
    for (const minVersion of [-1, 0.5, NaN])
      expect(() => conditionsOf({ minVersion })).toThrow(expect.objectContaining({ field: 'min_version' }));
  });
});
