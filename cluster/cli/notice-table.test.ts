import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { JobSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { describeJob } from './job-view.ts';

const NOW = 100_000;

function describedIn(state: JobState): string {
  const [at, over] = [timestampFromMs(NOW - 60_000), timestampFromMs(NOW - 5_000)];
  const notice = { subject: '', message: 'why', count: 2n, firstTime: at, lastTime: at };
  const notices = [
    { ...notice, code: 'DISK_FULL' },
    { ...notice, code: 'ADMISSION_HELD', resolveTime: over },
    { ...notice, code: 'PROCESS_EXIT_CALLED', momentary: true },
  ];
  return describeJob(create(JobSchema, { id: 'a', state, notices }), NOW);
}

describe('notices of a job', () => {
  it('last, are over, or happened', () => {
    const text = describedIn(JobState.RUNNING);
    expect(text).toMatch(/DISK_FULL +– +2 +1m 00s ago +lasting +why/);
    expect(text).toMatch(/ADMISSION_HELD .* over since 5s ago +why/);
    expect(text).toMatch(/PROCESS_EXIT_CALLED .* happened +why/);
  });

  it('last no longer than the job', () => {
    expect(describedIn(JobState.FAILED)).toMatch(/DISK_FULL .* until the end +why/);
  });
});
