import { afterAll, describe, expect, it } from 'vitest';
import { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import { createClient } from './client.ts';
import { ParameterServerService } from '../gen/millrace/v1/learner_pb.ts';

// Nothing listens there; wrong arguments are told before anybody is asked.
const ADDRESS = '127.0.0.1:9';
const client = createClient(AdminService, ADDRESS);
afterAll(() => client.close());

const refused = (field: string) => expect.objectContaining({ code: 'invalid_argument', field, name: 'MillraceError' }) as Error;

describe('createClient', () => {
  it.each([
    ['timeoutMs', { timeoutMs: NaN }],
    ['timeoutMs', { timeoutMs: Infinity }],
    ['timeoutMs', { timeoutMs: -1 }],
    ['timeoutMs', { timeoutMs: '5' as never }],
    ['timeoutMs', { timeoutMs: null as never }],
    ['token', { token: 'line\nbreak' }],
    ['token', { token: 5 as never }],
    ['options', null as never],
    ['options', 'token' as never],
  ])('names %s of wrong options: %o', (field, options) => {
    expect(() => createClient(AdminService, ADDRESS, options)).toThrow(refused(field));
  });

  it('names a wrong address', () => {
    for (const address of [
      '',
      '127.0.0.1',
      'http://127.0.0.1:1',
      '127.0.0.1:0',
      '127.0.0.1:99999',
      undefined as never,
      7500 as never,
    ])
      expect(() => createClient(AdminService, address)).toThrow(refused('address'));
  });
});

describe('a call', () => {
  const wrong: [string, object][] = [
    ['timeoutMs', { timeoutMs: NaN }],
    ['timeoutMs', { timeoutMs: Infinity }],
    ['timeoutMs', { timeoutMs: -Infinity }],
    ['timeoutMs', { timeoutMs: -0.5 }],
    ['timeoutMs', { timeoutMs: 2 ** 31 }],
    ['timeoutMs', { timeoutMs: '1000' }],
    ['timeoutMs', { timeoutMs: null }],
    ['timeoutMs', { timeoutMs: 5n }],
    ['signal', { signal: 'stop' }],
    ['signal', { signal: null }],
    ['signal', { signal: new AbortController() }],
    ['options', null as never],
    ['options', 1000 as never],
  ];

  it.each(wrong)('of every kind names %s of wrong options: %o', async (field, options) => {
    await expect(client.listJobs({}, options)).rejects.toThrow(refused(field));
    await expect(client.watchJob({ jobId: 'a' }, options)[Symbol.asyncIterator]().next()).rejects.toThrow(refused(field));
    const learner = createClient(ParameterServerService, ADDRESS);
    expect(() => learner.work(options)).toThrow(refused(field));
    learner.close();
  });

  it.each([
    ['text for a number', { pageSize: 'ten' }],
    ['NaN for a number', { pageSize: NaN }],
    ['a fraction', { pageSize: 1.5 }],
  ])('says that a request cannot be encoded: %s', async (_, request) => {
    await expect(client.listJobs(request as never)).rejects.toThrow(refused('request'));
  });

  it('with 0 ms has no time', async () => {
    await expect(client.listJobs({}, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });
});
