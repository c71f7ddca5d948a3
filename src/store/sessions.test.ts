import { describe, expect, it } from 'vitest';
import { SessionPool } from './sessions.ts';
import type { RawSession, StatementKind } from './sessions.ts';

/** A pool over connections whose statements end when the test says so. */
function openPool(size: number): {
  pool: SessionPool;
  /** Statements that run, in the order in which they began. */
  running: string[];
  start: (sql: string, kind: StatementKind, signal?: AbortSignal) => Promise<void>;
  end: (sql: string) => Promise<void>;
} {
  const ends = new Map<string, () => void>();
  const running: string[] = [];
  const open = (): RawSession => ({
    queryAsync: (sql) =>
      new Promise((resolve) => {
        const end = (): void => {
          running.splice(running.indexOf(sql), 1);
          resolve({ elapsed: 0, rowsRead: 0, bytesRead: 0, bytes: () => new Uint8Array(0) });
        };
        if (sql.startsWith('USE')) return resolve({ elapsed: 0, rowsRead: 0, bytesRead: 0, bytes: () => new Uint8Array(0) });
        running.push(sql);
        ends.set(sql, end);
      }),
    query: () => '',
    close: () => {},
  });
  const pool = new SessionPool(open, { size, database: 'd' });
  const settled = async (): Promise<void> => {
    for (let i = 0; i < 20; i += 1) await Promise.resolve();
  };
  return {
    pool,
    running,
    start: async (sql, kind, signal) => {
      pool.run({ sql, kind, ...(signal && { signal }) }).catch(() => {});
      await settled();
    },
    end: async (sql) => {
      ends.get(sql)!();
      await settled();
    },
  };
}

describe('SessionPool', () => {
  it('leaves connections to others: half of them by files, one by what comes from outside', async () => {
    const { start, end, running, pool } = openPool(6);
    for (let i = 1; i <= 5; i += 1) await start(`file ${i}`, 'file');
    expect(running).toEqual(['file 1', 'file 2', 'file 3']);
    for (let i = 1; i <= 4; i += 1) await start(`guest ${i}`, 'guest');
    expect(running.slice(3)).toEqual(['guest 1', 'guest 2']);
    await start('question 1', 'question');
    expect(running.slice(5)).toEqual(['question 1']);
    await start('question 2', 'question');
    expect([running.length, pool.waiting()]).toEqual([6, 5]);
    await end('guest 1');
    expect(running.at(-1)).toBe('guest 3');
    await end('question 1');
    expect(running.at(-1)).toBe('question 2');
    await end('file 1');
    expect(running.at(-1)).toBe('file 4');
  });

  it('of two has one for files', async () => {
    const { start, end, running } = openPool(2);
    await start('file 1', 'file');
    await start('file 2', 'file');
    await start('question 1', 'question');
    await start('guest 1', 'guest');
    expect(running).toEqual(['file 1', 'question 1']);
    await end('question 1');
    expect(running).toEqual(['file 1', 'guest 1']);
    await end('file 1');
    expect(running).toEqual(['guest 1', 'file 2']);
  });

  it('serves its own kind in the order in which it came, and forgets who went away', async () => {
    const { start, end, running, pool } = openPool(2);
    const gone = new AbortController();
    await start('a', 'question');
    await start('b', 'question');
    await start('c', 'question', gone.signal);
    await start('d', 'question');
    gone.abort();
    expect(pool.waiting()).toBe(1);
    await end('a');
    expect(running).toEqual(['b', 'd']);
    await end('b');
    await end('d');
    expect([running, pool.waiting()]).toEqual([[], 0]);
    await start('e', 'file');
    expect(running).toEqual(['e']);
  });

  it('runs nothing for a signal that has fired', async () => {
    const { pool, running } = openPool(2);
    await expect(pool.run({ sql: 'a', signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(running).toEqual([]);
  });
});
