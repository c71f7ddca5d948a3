import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { JobSchema, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { newNotices } from './new-notices.ts';

function job(...notices: { code: string; firstAt: number; count?: number; over?: boolean }[]): Job {
  return create(JobSchema, {
    id: 'a',
    notices: notices.map(({ code, firstAt, count = 1, over = false }) => ({
      code,
      subject: 'search',
      message: 'blocked\nfor 3 s',
      count: BigInt(count),
      firstTime: timestampFromMs(firstAt),
      ...(over && { resolveTime: timestampFromMs(firstAt + 5) }),
    })),
  });
}

describe('new notices', () => {
  it('are printed once, and once more when they are over', () => {
    const lines = newNotices();
    expect(lines(job({ code: 'BLOCKED', firstAt: 10 }))).toEqual(['BLOCKED search: blocked\\nfor 3 s']);
    expect(lines(job({ code: 'BLOCKED', firstAt: 10, count: 7 }))).toEqual([]);
    expect(lines(job({ code: 'BLOCKED', firstAt: 10, over: true }))).toEqual(['BLOCKED search: over']);
    expect(lines(job({ code: 'BLOCKED', firstAt: 30 }))).toEqual(['BLOCKED search: blocked\\nfor 3 s']);
  });

  it('leave out what was over before', () => {
    const lines = newNotices();
    expect(lines(job({ code: 'BLOCKED', firstAt: 10, over: true }, { code: 'HELD', firstAt: 20 }))).toEqual([
      'HELD search: blocked\\nfor 3 s',
    ]);
  });
});
