import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CoordinatorBackend } from '../cluster/coordinator/admin-backend.ts';
import { runSerial, type SerialOptions } from '../cluster/serial/index.ts';
import type { MemoryBus } from '../src/bus/memory/memory-bus.ts';
import { systemClock } from '../src/clock/system.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { KvLedger } from '../src/jobs/budgets/kv-ledger.ts';
import { monthOf } from '../src/jobs/budgets/month.ts';
import { isSettled, spentOf } from '../src/jobs/budgets/owner-ledger.ts';
import { BUDGETS } from '../src/protocol/names.ts';
import { decodeManifest } from '../src/weights/manifest.ts';
import { paidJob, paidMoney, trulySpent } from './support/paid.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let log: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  log = join(folder.path, 'calls.log');
  writeFileSync(log, '');
});
afterEach(() => folder.remove());

/** Virtual time begins in this month. */
const MONTH = monthOf(1_700_000_000_000);

/** Runs the job, and reads all that says what it cost. */
async function run(overrides: readonly string[], options: Partial<SerialOptions> = {}) {
  let bus!: MemoryBus;
  let admin: CoordinatorBackend | undefined;
  const result = await runSerial(paidJob(log, overrides), {
    stateDir: folder.path,
    money: paidMoney(),
    rollouts: 2,
    prepare: (connection) => {
      bus = connection as MemoryBus;
      return Promise.resolve();
    },
    onEnd: async (job, backend) => {
      admin = backend;
      await until(
        async () => isSettled(await ledgerOf(bus), job.id) && (await manifestSum(bus, job.id)) === (await spentIn(bus, job.id)),
      );
      return undefined;
    },
    ...options,
  });
  const rows = [...result.store.rows('trajectories')];
  const months = [...result.store.rows('spending')];
  return {
    job: result.job,
    admin,
    truth: trulySpent(log),
    ledger: await spentIn(bus, result.job.id),
    manifest: await manifestSum(bus, result.job.id),
    rows: rows.reduce((sum, row) => sum + Number(row['micro_dollars']), 0),
    months: months.map(({ owner, month, micro_dollars }) => ({ owner, month, micro_dollars })),
  };

  /** Looks again and again, on the time of the cluster. */
  async function until(done: () => Promise<boolean>): Promise<void> {
    for (let turn = 0; turn < 600; turn += 1) {
      if (await done()) return;
      await bus.server.clock.sleep(100);
    }
    throw new Error('the money was not settled within a minute');
  }
}

const ledgerOf = (bus: MemoryBus) => new KvLedger(bus.kv(BUDGETS), systemClock).read('local', MONTH);
const spentIn = async (bus: MemoryBus, job: string) => spentOf(await ledgerOf(bus), job).microDollars;

async function manifestSum(bus: MemoryBus, job: string): Promise<number> {
  const entry = await bus.kv('policies').get(job);
  return Number(decodeManifest(entry!.value, job).ledger!.spentMicroDollars);
}

describe('a job whose calls cost money', () => {
  it('is charged for every call, and its ledger, its manifest and its rows say the same', async () => {
    const { job, truth, ledger, manifest, rows, months } = await run(['source.crashEvery=7']);
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(truth).toBeGreaterThan(500_000);
    expect({ ledger, manifest, rows }).toEqual({ ledger: truth, manifest: truth, rows: truth });
    expect(months).toEqual([{ owner: 'local', month: MONTH, micro_dollars: truth }]);
    expect(job.budgets).toEqual([expect.objectContaining({ of: 'owner', unit: 'micro_dollars', limit: 100_000_000n })]);
  });

  it.each<[string, string[], number, RegExp]>([
    [
      'its own budget',
      ['budget.dollars=0.5'],
      100,
      /^BUDGET_EXHAUSTED: spent \$0\.\d+ of the \$0\.50 of job paid.*millrace job set-budget/,
    ],
    [
      'the budget of its owner',
      [],
      0.5,
      /^BUDGET_EXHAUSTED: spent \$0\.\d+ of the \$0\.50 of owner local for .*millrace budget set local DOLLARS/,
    ],
  ])('pauses when %s is spent, and goes on once there is more', async (_, overrides, monthly, message) => {
    const paused: Job[] = [];
    const refusals: string[] = [];
    const { job, truth, ledger, manifest } = await run(overrides, {
      money: paidMoney(monthly),
      onJob: (seen, admin) => {
        if (seen.state !== JobState.PAUSED || paused.length > 0) return;
        paused.push(seen);
        void raise(seen.id, admin);
      },
    });
    expect(paused[0]).toMatchObject({ pauseReason: 'BUDGET_EXHAUSTED', waitingFor: expect.stringMatching(message) as string });
    expect(paused[0]!.budgets.find(({ exhausted }) => exhausted)!.spent).toBeLessThanOrEqual(500_000n);
    expect(refusals).toEqual([expect.stringMatching(/^job paid.* cannot go on: BUDGET_EXHAUSTED, spent /)]);
    expect(job.notices.map(({ code }) => code)).toEqual(expect.arrayContaining(['BUDGET_ALERT', 'BUDGET_EXHAUSTED']));
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect({ ledger, manifest }).toEqual({ ledger: truth, manifest: truth });

    async function raise(id: string, admin: CoordinatorBackend): Promise<void> {
      await admin.resumeJob(id).catch((error: unknown) => refusals.push((error as Error).message));
      if (monthly < 100) await admin.budgets.updateBudget({ owner: 'local', limitMicroDollars: 100_000_000n });
      else await admin.updateJobBudget(id, (budget) => ({ ...budget, dollars: 100 }));
      await admin.resumeJob(id);
    }
  });

  it('pauses at its budget of trajectories, before it asks for more', async () => {
    const { job } = await run(['budget.trajectories=60', 'evaluation.baselines=false', 'rounds=20'], {
      onJob: (seen, admin) => {
        if (seen.state === JobState.PAUSED) void admin.cancelJob(seen.id);
      },
    });
    // Evaluations are counted: the one of the untrained policy, if there is one.
    const { progress } = job;
    expect(Number(progress!.requests) * 4).toBeLessThanOrEqual(60);
    expect(Number(progress!.requests) * 4).toBeGreaterThan(60 - 8);
  });
});
