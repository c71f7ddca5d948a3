import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { progressLine, progressOf } from '../cluster/cli/progress.ts';
import { buildReport } from '../cluster/report/report.ts';
import { reportText } from '../cluster/report/text.ts';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

function run(kind: string, overrides: readonly string[] = [], onJob?: (job: Job) => void): Promise<SerialResult> {
  const file = fileURLToPath(new URL('flows/pointless.yaml', import.meta.url));
  const { config } = loadJobConfig(file, { overrides: [`source={kind: ${kind}}`, ...overrides] });
  return runSerial(config, { stateDir: folder.path, ...(onJob && { onJob }) });
}

const lasting = ({ notices }: Job): string[] => notices.flatMap(({ code, resolveTime }) => (resolveTime ? [] : [code]));
const report = (job: Job): ReturnType<typeof buildReport> =>
  buildReport({ job, state: 'failed', processes: [], totalSeconds: 1 });

describe('training that is pointless', () => {
  it('a job whose groups have equal rewards is no success, and says so', async () => {
    const { job, version } = await run('equal');
    expect(version).toBe(4);
    expect(job.state).toBe(JobState.FAILED);
    expect(job.error).toMatch(
      /^NOTHING_TO_LEARN: nothing was trained in 4 rounds: 16 groups had equal rewards or nothing to decide\./,
    );
    expect(job.evaluations).toHaveLength(1);
    expect(job.checkpoint).not.toBe('');
    expect(report(job).collapse).toBeNull();
  });

  it('a flow that never opens two actions says so, and is no success though rewards differ', async () => {
    const { job } = await run('one-action');
    expect(job.state).toBe(JobState.FAILED);
    expect(job.error).toMatch(/^NOTHING_TO_LEARN/);
    expect(Number(job.progress!.ledger!.trained)).toBe(0);
    expect(lasting(job)).toEqual(['NOTHING_TO_DECIDE']);
    expect(report(job).collapse).toMatchObject({ code: 'NOTHING_TO_DECIDE', lasting: true });
  });

  it('a policy that collapses is told of while it happens, in the progress line and in the report', async () => {
    const lines: string[] = [];
    const { job } = await run('patience', ['rounds=30'], (seen) => lines.push(progressLine(progressOf(seen))));
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(lasting(job)).toEqual(['POLICY_COLLAPSED']);
    const first = lines.findIndex((line) => line.includes('POLICY COLLAPSED'));
    expect(first).toBeGreaterThan(0);
    expect(lines[first]).toMatch(/^round (1\d|2\d| [5-9])\/30 · POLICY COLLAPSED · reward/);
    const { collapse } = report(job);
    expect(collapse).toMatchObject({ code: 'POLICY_COLLAPSED', lasting: true });
    expect(collapse?.message).toMatch(
      /the policy has collapsed by version \d+: for 5 rounds .*success is 0\.0 %\. Lower optimizer/,
    );
    expect(reportText(report(job), [])).toMatch(/\nWARNING POLICY_COLLAPSED: the policy has collapsed/);
  });

  it('training that goes well has nothing to report', async () => {
    const { job } = await runSerial(thermostatJob(['rounds=30', 'evaluation.every=0']), { stateDir: folder.path });
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(job.notices).toEqual([]);
  });
});
