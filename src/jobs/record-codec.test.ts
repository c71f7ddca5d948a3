import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../config/job.ts';
import { createJobRecord, settle, transition, type JobRecord } from './record.ts';
import { decodeJobRecord, encodeJobRecord, storedConfig } from './record-codec.ts';

const config = jobConfigSchema.parse({ name: 'sums', flow: './flow.ts', seed: 3 });
const create = (): JobRecord => createJobRecord({ id: 'sums', config, now: 1000 });
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const ended = (): JobRecord => transition(transition(create(), 'RUNNING', { now: 2 }), 'SUCCEEDED', { now: 3 });

describe('a stored job record', () => {
  it('survives the way through the bucket', () => {
    const record: JobRecord = {
      ...create(),
      accepted: 40,
      evaluations: [
        {
          name: 'trained',
          policyVersion: 5,
          tasks: 9,
          successes: 4,
          failed: 1,
          meanReward: 0.5,
          trajectories: 640,
          trainSeconds: 1.5,
          meanSteps: 3,
          failures: {},
          metrics: {},
          types: {},
        },
      ],
    };
    expect(decodeJobRecord(encodeJobRecord(record))).toEqual(record);
  });

  it('shares a configuration that was checked before, and no other', () => {
    const first = decodeJobRecord(encodeJobRecord(create()));
    const again = decodeJobRecord(encodeJobRecord({ ...create(), accepted: 7 }));
    expect(again).toEqual({ ...create(), accepted: 7 });
    expect(again.config).toBe(first.config);
    const other = { ...create(), config: { ...config, rounds: config.rounds + 1 } };
    expect(decodeJobRecord(encodeJobRecord(other))).toEqual(other);
    for (const wrong of [{ ...config, rounds: -1 }, undefined, null, 'x'])
      expect(() => decodeJobRecord(bytes({ ...create(), config: wrong }))).toThrow(
        expect.objectContaining({ code: 'data_loss', field: expect.stringMatching(/^config/) as unknown }),
      );
  });

  it('is read once by those who share a process, under its own key only', () => {
    const stored = encodeJobRecord({ ...create(), accepted: 8 });
    expect(decodeJobRecord(stored.slice(), 'sums')).toBe(decodeJobRecord(stored, 'sums'));
    expect(() => decodeJobRecord(stored, 'other')).toThrow(expect.objectContaining({ code: 'data_loss', field: 'id' }));
  });

  it('is one from before there were formats', () => {
    const { format: _, owner: _owner, priority: _priority, ...older } = create();
    expect(decodeJobRecord(bytes(older))).toEqual(create());
  });

  it('keeps whose it is and how urgent', () => {
    const record = createJobRecord({ id: 'sums', config, now: 1000, owner: 'ann@lab.org', priority: -5 });
    expect(decodeJobRecord(encodeJobRecord(record))).toMatchObject({ owner: 'ann@lab.org', priority: -5 });
    expect(create()).toMatchObject({ owner: 'local', priority: 0 });
    expect(() => createJobRecord({ id: 'sums', config, now: 1, owner: 'Ann Lab' })).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field: 'owner' }),
    );
  });

  it('keeps keys that another version added when it is written again', () => {
    const stored = bytes({ ...create(), tasks: { 1: 'a' }, plans: { dollars: 3 } });
    const read = decodeJobRecord(stored, 'sums');
    expect(read).toEqual({ ...create(), tasks: { 1: 'a' } });
    const { tasks: _, ...changed } = { ...read, accepted: 5 };
    expect(JSON.parse(Buffer.from(encodeJobRecord(changed, stored)).toString())).toEqual({
      ...create(),
      accepted: 5,
      plans: { dollars: 3 },
    });
  });

  it.each<[string, string, RegExp]>([
    ['data_loss', JSON.stringify(create()).slice(0, -20), /^it is not JSON/],
    ['data_loss', '', /^it is not JSON/],
    ['data_loss', '\u0000\u0001 not a record', /^it is not JSON/],
    ['data_loss', 'null', /^it is not a JSON object/],
    ['data_loss', '[]', /^it is not a JSON object/],
    ['data_loss', '{}', /^id: /],
    ['data_loss', JSON.stringify({ ...create(), accepted: -1 }), /^accepted: /],
    ['data_loss', JSON.stringify({ ...create(), state: 'DREAMING' }), /^state: /],
    ['data_loss', JSON.stringify({ ...create(), id: 'other' }), /record of job "other", under another key/],
    ['data_loss', JSON.stringify({ ...create(), config: { ...config, dream: 1 } }), /^config: expected no key dream/],
    [
      'failed_precondition',
      JSON.stringify({ format: 2, jobs: [] }),
      /newer version of Millrace wrote it \(format 2; .* reads 1\)/,
    ],
    ['failed_precondition', JSON.stringify({ ...ended(), format: 9 }), /newer version .*format 9/],
  ])('is refused (%s): %s', (code, text, message) => {
    expect(() => decodeJobRecord(new TextEncoder().encode(text), 'sums')).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as unknown }),
    );
  });

  it('of an ended job is read whatever its configuration holds, which is kept as it was', () => {
    const strange = {
      ...config,
      dream: { depth: 3 },
      rounds: 'many',
      rollout: { ...config.rollout, groupsPerRound: 5, speed: 'fast' },
      algorithm: { name: 'of-tomorrow' },
    };
    const stored = bytes({ ...ended(), config: strange });
    const read = decodeJobRecord(stored, 'sums');
    expect(read).toMatchObject({ state: 'SUCCEEDED', config: { seed: 3, rollout: { groupsPerRound: 5 } } });
    expect(jobConfigSchema.safeParse(read.config).success).toBe(true);
    expect(storedConfig(read.config)).toEqual(strange);
    const again = encodeJobRecord(settle(read, 'queues')!, stored);
    expect(JSON.parse(Buffer.from(again).toString())).toMatchObject({ config: strange, unsettled: ['books'] });
    expect(storedConfig(decodeJobRecord(again).config)).toEqual(strange);
  });

  it.each([undefined, null, 7, [], { name: 7 }])('of an ended job is read with the configuration %j', (wrong) => {
    const read = decodeJobRecord(bytes({ ...ended(), config: wrong }), 'sums');
    expect(jobConfigSchema.safeParse(read.config).success).toBe(true);
  });
});
