import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BudgetDesk } from '../admin/budgets.ts';
import { MemoryBackend } from '../admin/memory-backend.ts';
import { adminService } from '../admin/service.ts';
import { writeAdminFile } from '../up/admin-file.ts';
import { MemoryLedger } from '../../src/jobs/budgets/memory-ledger.ts';
import { withBlock, withSpent } from '../../src/jobs/budgets/owner-ledger.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { main } from './main.ts';

const NOW = Date.UTC(2026, 10, 30);
const TOKEN = 'a token of this test';

let folder: string;
let ledger: MemoryLedger;
let backend: MemoryBackend;
let server: RunningServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-budget-'));
  backend = new MemoryBackend();
  Object.defineProperty(backend, 'budgets', { get: () => new BudgetDesk(ledger, () => NOW) });
  server = await startServer({ services: [adminService(backend)], token: TOKEN });
  writeAdminFile(join(folder, '.millrace'), { address: server.address, token: TOKEN });
});
afterAll(async () => {
  await server.stop(500);
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  ledger = new MemoryLedger();
  backend.jobs.clear();
  backend.jobBudgets.clear();
  await backend.createJob('job-a', { name: 'demo' } as never);
});

/** Runs a command line in this process. */
async function millrace(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const told = { stdout: '', stderr: '' };
  const output = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => void (told[stream] += text) });
  const { signal } = new AbortController();
  const code = await main(args, { stdout: output('stdout'), stderr: output('stderr'), env: {}, cwd: folder, signal });
  return { code, ...told };
}

/** What a command that fails tells: its code, and the field that is wrong. */
async function refusal(...args: string[]): Promise<[code: string, field: string | undefined, message: string]> {
  const { code, stdout, stderr } = await millrace('-o', 'json', ...args);
  expect([code > 0, stdout]).toEqual([true, '']);
  const { error } = JSON.parse(stderr) as { error: { code: string; field?: string; message: string } };
  return [error.code, error.field, error.message];
}

/** Ann has spent 60 of 100 dollars, and a process holds 5 more. */
async function spend(): Promise<void> {
  await ledger.change('ann', '2026-11', (before) => {
    let after = withSpent(before, 'job-a', { microDollars: 55_500_000, tokens: 1200 });
    after = withSpent(after, 'job-b', { microDollars: 4_500_000, tokens: 0 });
    const left = { microDollars: 5_000_000, tokens: 0 };
    return withBlock(after, 'n/job-a', { job: 'job-a', holder: 'n', left, exchange: 1 });
  });
}

describe('millrace budget', () => {
  it('shows what owners have spent, set aside and may spend', async () => {
    expect(await millrace('budget', 'list')).toEqual({ code: 0, stdout: 'nobody has spent anything\n', stderr: '' });
    await spend();
    await ledger.setLimit('bob', 2_500_000);
    const { stdout } = await millrace('budget', 'list');
    expect(stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['OWNER', 'MONTH', 'SPENT', 'RESERVED', 'LIMIT', 'USED', 'LIMIT FROM'],
      ['ann', '2026-11', '$60.00', '$5.00', '$100.00', '60.0 %', 'configuration'],
      ['bob', '2026-11', '$0.00', '$0.00', '$2.50', '0.0 %', 'set'],
      [''],
    ]);
    const json = JSON.parse((await millrace('-o', 'json', 'budget', 'list')).stdout) as unknown[];
    expect(json).toMatchObject([
      { owner: 'ann', spentMicroDollars: '60000000' },
      { owner: 'bob', limitSource: 'set' },
    ]);
    // The month before was another.
    expect((await millrace('budget', 'list', '--month', '2026-10')).stdout).toMatch(/^OWNER.*\nbob +2026-10 +\$0\.00/);
  });

  it('shows one owner by job, the one that spent most first', async () => {
    await spend();
    const { stdout } = await millrace('budget', 'show', 'ann');
    expect(stdout).toMatch(/owner +ann\n.*spent +\$60\.00 of \$100\.00 \(60\.0 %\)\n/s);
    expect(stdout).toMatch(/job-a +\$55\.50 +1200.*\n.*job-b +\$4\.50 +0/);
    expect(JSON.parse((await millrace('-o', 'json', 'budget', 'show', 'ann')).stdout)).toMatchObject({
      reservedMicroDollars: '5000000',
      jobs: [{ jobId: 'job-a', spentMicroDollars: '55500000', spentTokens: '1200' }, { jobId: 'job-b' }],
    });
  });

  it('shows an owner that nobody knows as one that has spent nothing', async () => {
    expect((await millrace('budget', 'show', 'nobody')).stdout).toMatch(/owner +nobody\n.*spent +\$0\.00 of \$100\.00/s);
  });

  it.each([
    ['250', 250_000_000],
    ['12.50', 12_500_000],
    ['$0.000001', 1],
    ['0', 0],
    ['999999999.999999', 999_999_999_999_999],
  ])('sets what an owner may spend: %s', async (text, microDollars) => {
    const { code, stdout } = await millrace('budget', 'set', 'ann', text);
    expect([code, await ledger.limit('ann')]).toEqual([0, microDollars]);
    expect(stdout).toContain('millrace budget set');
  });

  it.each(['-1', 'NaN', 'Infinity', '1e9', '1,000', '0.0000001', '1000000000', '', 'none', '0x10', '１'])(
    'sets no budget of %j',
    async (text) => {
      const [code, field, message] = await refusal('budget', 'set', 'ann', '--', text);
      expect([code, field]).toEqual(['invalid_argument', '<dollars>']);
      expect(message).toContain(JSON.stringify(text));
      expect(await ledger.limit('ann')).toBeUndefined();
    },
  );

  it.each(['Ann', 'a b', 'x'.repeat(65), '../x', 'a*'])('knows no owner called %j', async (owner) => {
    for (const args of [
      ['show', owner],
      ['set', owner, '5'],
    ]) {
      const [code, field] = await refusal('budget', ...args);
      expect([code, field]).toEqual(['invalid_argument', 'owner']);
    }
    expect(await ledger.limits()).toEqual({});
  });

  it.each(['2026', '2026-13', '11-2026', '2026-11-30', 'now'])('knows no month %j', async (month) => {
    for (const args of [['list'], ['show', 'ann']]) {
      const [code, field, message] = await refusal('budget', ...args, '--month', month);
      expect([code, field]).toEqual(['invalid_argument', 'month']);
      expect(message).toContain('expected a month like 2026-11');
    }
  });

  it('says which ledger cannot be read', async () => {
    ledger.read = () => Promise.reject(new Error('the ledger of owner "ann" for 2026-11 is not JSON'));
    const [, , message] = await refusal('budget', 'show', 'ann');
    expect(message).toContain('the ledger of owner "ann" for 2026-11 is not JSON');
  });
});

describe('millrace job set-budget', () => {
  it('changes the limits that are named, and leaves the others', async () => {
    const set = (...args: string[]) => millrace('job', 'set-budget', 'job-a', ...args);
    expect((await set('--dollars', '40', '--tokens', '1000', '--trajectories', '64', '--wall-time', '90m')).code).toBe(0);
    expect(backend.jobBudgets.get('job-a')).toEqual({ dollars: 40, tokens: 1000, trajectories: 64, wallTime: '5400s' });
    await set('--dollars', '0.000001', '--tokens', 'none', '--wall-time', 'none');
    expect(backend.jobBudgets.get('job-a')).toEqual({ dollars: 0.000001, trajectories: 64 });
  });

  it.each([
    [['--dollars', '-1'], '--dollars'],
    [['--dollars', 'NaN'], '--dollars'],
    [['--dollars', '1e30'], '--dollars'],
    [['--tokens', '1.5'], '--tokens'],
    [['--tokens', '-3'], '--tokens'],
    [['--tokens', '1'.repeat(16)], '--tokens'],
    [['--trajectories', 'many'], '--trajectories'],
    [['--wall-time', '12'], '--wall-time'],
    [['--wall-time', '-2h'], '--wall-time'],
    [['--wall-time', '0s'], '--wall-time'],
    [['--wall-time', '999999d'], 'budget.wall_time'],
    [[], '--dollars'],
  ])('refuses %j', async (args, field) => {
    const [code, wrong] = await refusal('job', 'set-budget', 'job-a', ...args);
    expect([code, wrong]).toEqual(['invalid_argument', field]);
    expect(backend.jobBudgets.size).toBe(0);
  });

  it('knows no job of another name', async () => {
    expect((await refusal('job', 'set-budget', 'job-z', '--dollars', '1'))[0]).toBe('not_found');
    expect((await refusal('job', 'set-budget', 'Job Z', '--dollars', '1')).slice(0, 2)).toEqual(['invalid_argument', 'job_id']);
  });
});
