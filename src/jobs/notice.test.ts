import { describe, expect, it } from 'vitest';
import {
  decodeNotice,
  encodeNotice,
  MAX_MESSAGE,
  reportedNotice,
  resolvedNotice,
  sortNotices,
  type NoticeReport,
} from './notice.ts';

const report: NoticeReport = { code: 'EVENT_LOOP_HELD', subject: 'search', message: 'blocked for 3 s' };
const at = (now: number, times?: number) => ({ job: 'a', node: 'rollout-1', now, ...(times !== undefined && { times }) });

describe('job notice', () => {
  it('counts reports and keeps the first time and the last message', () => {
    const first = reportedNotice(undefined, report, at(10));
    const second = reportedNotice(first, { ...report, message: 'blocked for 4 s' }, at(20, 3));
    expect(first).toMatchObject({ count: 1, firstAt: 10, lastAt: 10 });
    expect(second).toMatchObject({ count: 4, firstAt: 10, lastAt: 20, message: 'blocked for 4 s' });
  });

  it('begins anew after it was resolved', () => {
    const resolved = resolvedNotice(reportedNotice(undefined, report, at(10, 5)), 20)!;
    expect(resolved).toMatchObject({ count: 5, resolvedAt: 20 });
    expect(resolvedNotice(resolved, 30)).toBeUndefined();
    const again = reportedNotice(resolved, report, at(40));
    expect(again).toMatchObject({ count: 1, firstAt: 40 });
    expect(again.resolvedAt).toBeUndefined();
  });

  it('counts what happened, and does not let it stand before what lasts', () => {
    const happened = reportedNotice(
      reportedNotice(undefined, { ...report, lasts: false }, at(10)),
      { ...report, lasts: false },
      at(50),
    );
    expect(happened).toMatchObject({ count: 2, lasts: false });
    const lasting = reportedNotice(undefined, { code: 'ADMISSION_HELD', message: '' }, at(20));
    expect(sortNotices([happened, lasting]).map(({ code }) => code)).toEqual(['ADMISSION_HELD', report.code]);
  });

  it('keeps long messages short and well-formed', () => {
    const { message } = reportedNotice(undefined, { code: 'WORKER_ENDED', message: '😀'.repeat(MAX_MESSAGE) + '!' }, at(1));
    const odd = reportedNotice(undefined, { code: 'WORKER_ENDED', message: `${'a'.repeat(MAX_MESSAGE - 1)}😀` }, at(1)).message;
    expect(message.length).toBe(MAX_MESSAGE);
    expect(odd.isWellFormed()).toBe(true);
  });

  it('survives encoding, and is undefined for what is not a notice', () => {
    const notice = reportedNotice(undefined, report, at(10));
    const bytes = encodeNotice(notice);
    expect(decodeNotice(bytes)).toEqual(notice);
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    for (const bad of [bytes.slice(0, -3), text('{}'), text('null'), text('[]'), Uint8Array.of(0xff, 0xfe), new Uint8Array()])
      expect(decodeNotice(bad)).toBeUndefined();
    expect(decodeNotice(text(JSON.stringify({ ...notice, later: true })))).toEqual(notice);
  });

  it('sorts lasting conditions first, then by time', () => {
    const one = reportedNotice(undefined, { code: 'DISK_FULL', message: '' }, at(10));
    const two = reportedNotice(undefined, { code: 'BUNDLE_DAMAGED', message: '' }, at(20));
    const past = resolvedNotice(reportedNotice(undefined, { code: 'ROWS_MISSING', message: '' }, at(30)), 40)!;
    expect(sortNotices([past, one, two]).map(({ code }) => code)).toEqual(['BUNDLE_DAMAGED', 'DISK_FULL', 'ROWS_MISSING']);
  });
});
