import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeJob, jobTable } from '../cluster/cli/job-view.ts';
import { progressLine, progressOf } from '../cluster/cli/progress.ts';
import { measurementsOf } from '../cluster/cli/tune/trial.ts';
import { buildReport } from '../cluster/report/report.ts';
import { reportText } from '../cluster/report/text.ts';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import type { JobConfig } from '../src/config/job.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { accounting } from '../src/jobs/ledger.ts';
import { faultyJob } from './support/faulty.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const run = (config: JobConfig): Promise<SerialResult> => runSerial(config, { stateDir: folder.path });
const books = ({ job }: SerialResult): ReturnType<typeof accounting> => accounting(job.progress!.ledger!, job.progress!.requests);
const rows = (result: SerialResult): Record<string, unknown>[] =>
  result.store.rows('trajectories').filter((row) => row['purpose'] === 'train') as Record<string, unknown>[];

describe('an infrastructure failure is never a reward', () => {
  it.each([
    ['slow-tool', 'TOOL_TIMEOUT', 'tool_timeout'],
    ['broken-tool', 'TOOL_CRASH', 'tool_crash'],
    ['broken-flow', 'FLOW_CRASH', 'flow_crash'],
    ['broken-reward', 'REWARD_FAILED', 'reward_failed'],
  ])('%s: sampled again within the cap, then failed with its class, replaced, and the job ends', async (kind, failure, word) => {
    const result = await run(faultyJob(['fine', 'fine', 'fine', kind]));
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    const { requests, trained, filtered, expired, failed, open, failedByClass } = books(result);
    expect(open).toBe(0);
    expect(requests).toBe(trained + filtered + expired + failed);
    expect(trained + filtered).toBe(20);
    expect(failed).toBeGreaterThan(0);
    expect(failedByClass).toEqual({ [failure]: failed });

    const broken = rows(result).filter((row) => row['failure'] !== '');
    expect(broken).toHaveLength(failed * 4);
    for (const row of broken) {
      expect(row).toMatchObject({ failure: word, advantage: 0, reward: 0 });
      expect(Boolean(row['valid'])).toBe(false);
      // A reward that fails is not sampled again: the trajectory itself is sound.
      expect(row['resamples']).toBe(kind === 'broken-reward' ? 0 : 1);
      expect(row['failure_message']).not.toBe('');
    }
    for (const row of rows(result).filter((other) => other['failure'] === '')) expect(Boolean(row['valid'])).toBe(true);
  });

  it('counts the time-outs of all attempts by tool, for `millrace query tools`', async () => {
    const result = await run(faultyJob(['fine', 'fine', 'fine', 'slow-tool']));
    const events = result.store.rows('job_events').filter((row) => row['kind'] === 'tool-timeouts');
    const counts = events.map((row) => JSON.parse(String(row['data'])) as { purpose: string; tools: Record<string, number> });
    expect(new Set(counts.map(({ purpose }) => purpose))).toEqual(new Set(['train', 'evaluate']));
    const training = counts.filter(({ purpose }) => purpose === 'train').map(({ tools }) => Object.entries(tools));
    // Four members, each tried twice.
    const total = training.flat().reduce((sum, [, count]) => sum + count, 0);
    expect(total).toBe(8 * books(result).failed);
    expect(training.flat().every(([tool]) => tool === 'left' || tool === 'right')).toBe(true);
  });

  it('a tool error is data: the flow goes on and is scored', async () => {
    const result = await run(faultyJob(['tool-error']));
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    expect(books(result)).toMatchObject({ failed: 0, open: 0 });
    expect(rows(result).some((row) => Number(row['tool_errors']) > 0)).toBe(true);
    for (const row of rows(result)) expect(Boolean(row['valid'])).toBe(true);
  });

  it('a group with a few failed members is scored over the others', async () => {
    const result = await run(faultyJob(['flaky-tool']));
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    expect(books(result).open).toBe(0);
    const all = rows(result);
    expect(all.some((row) => Number(row['resamples']) > 0 && Boolean(row['valid']))).toBe(true);
    for (const row of all.filter((other) => !other['valid'])) expect(row).toMatchObject({ advantage: 0, failure: 'tool_crash' });
  });

  it('an incomplete evaluation is marked as such', async () => {
    const overrides = ['rounds=1', 'evaluation.baselines=true', 'split.heldOut=0.5'];
    const { job } = await run(faultyJob(['fine', 'fine', 'broken-reward'], overrides));
    const trained = job.evaluations.find(({ name }) => name === 'trained')!;
    expect(trained.failed).toBeGreaterThan(0);
    expect(trained).toMatchObject({ incomplete: true, failures: { REWARD_FAILED: trained.failed } });
    const judged = `${trained.successes} of ${trained.tasks - trained.failed} judged`;
    const said = `${judged}, ${trained.failed} not judged (REWARD_FAILED)`;
    expect(progressLine(progressOf(job))).toContain(`incomplete: ${said}`);
    expect(jobTable([job], 0)).toContain(said);
    expect(describeJob(job, 0)).toMatch(
      new RegExp(`trained .* incomplete .* ${trained.failed} \\(REWARD_FAILED ${trained.failed}\\)`),
    );
    const { heldOut, ...report } = buildReport({ job, state: 'succeeded', processes: [], totalSeconds: 1 });
    expect(heldOut).toMatchObject({ incomplete: true, trained: { notJudged: trained.failed, incomplete: true } });
    expect(heldOut.trained!.text).toContain(said);
    expect(reportText({ heldOut, ...report }, [])).toMatch(/INCOMPLETE[^]*trained planner .*not judged \(REWARD_FAILED\)/);
    expect(measurementsOf(job)).toEqual([]);
    expect(job.notices.map(({ code, subject }) => `${code} ${subject}`)).toContain('EVALUATION_INCOMPLETE trained@1');
    // Eight flows a task of the random planner: each is counted with its class.
    expect(job.evaluations.find(({ name }) => name === 'random')).toMatchObject({
      failures: { REWARD_FAILED: 8 * trained.failed },
    });
  });

  it('a job whose groups all fail ends as FAILED and says why', async () => {
    const result = await run(faultyJob(['broken-tool']));
    expect(result.job.state).toBe(JobState.FAILED);
    expect(result.job.error).toMatch(/groups failed in a row/);
    expect(result.job.error).toMatch(/TOOL_CRASH/);
    expect(books(result)).toMatchObject({ trained: 0, filtered: 0, open: 0 });
  });
});
