import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FEATURES, checkServerVersion, compareVersions, hasFeature } from '../bus/features.ts';
import { deadLetterHeaders, deadLetterOf } from '../bus/dead-letter.ts';
import { parseDelivery } from '../bus/nats/messages.ts';
import { bucketConfig, streamConfig } from '../bus/nats/stream-config.ts';
import { checkFilter, checkKey, checkSubject, subjectMatches } from '../bus/subject.ts';
import { streamOf } from '../bus/topology.ts';
import { topology } from './topology.ts';

describe('subjects', () => {
  const token = fc.constantFrom('a', 'b', 'c');
  const subject = fc.array(token, { minLength: 1, maxLength: 5 });
  const filter = fc.tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 1, maxLength: 5 }), fc.boolean());

  it('match as the grammar of NATS says', () => {
    fc.assert(
      fc.property(subject, filter, (tokens, [parts, tail]) => {
        const pattern = parts.map((p) => (p === '*' ? '[abc]' : p)).join('\\.') + (tail ? '(\\.[abc])+' : '');
        const expected = new RegExp(`^${pattern}$`).test(tokens.join('.'));
        expect(subjectMatches([...parts, ...(tail ? ['>'] : [])].join('.'), tokens.join('.'))).toBe(expected);
      }),
    );
    expect(subjectMatches('>', 'a.b')).toBe(true);
    expect(subjectMatches('a.>', 'a')).toBe(false);
  });

  it('are checked before they reach a server', () => {
    for (const good of ['a', 'a.b-c.D_9', '$KV.x']) checkSubject(good);
    for (const bad of ['', '.', 'a.', 'a b', 'a.*', '>', 'a\n']) expect(() => checkSubject(bad)).toThrow('not a subject');
    for (const good of ['>', '*', 'a.*.b', 'a.>']) checkFilter(good);
    for (const bad of ['', 'a.>.b', 'a.', 'a b']) expect(() => checkFilter(bad)).toThrow('not a subject filter');
    expect(() => checkKey('a b')).toThrow('not a key');
  });
});

describe('topology', () => {
  it('is what DESIGN asks for', () => {
    const { streams, buckets } = topology();
    expect(streams.map((s) => [s.name, s.retention, s.discard, s.subjects])).toEqual([
      ['ROLLOUTS', 'workqueue', 'new', 'rollout.>'],
      ['GROUPS', 'workqueue', 'new', 'group.>'],
      ['SCORED', 'interest', 'new', 'scored.>'],
      ['WEIGHTS', 'limits', 'new', 'weights.>'],
      ['EVENTS', 'limits', 'old', 'event.>'],
      ['DLQ', 'limits', 'old', 'dlq.>'],
      ['HELD', 'limits', 'new', 'held.>'],
      ['PARTS', 'limits', 'new', 'part.>'],
      ['CALLS', 'interest', 'new', 'call.>'],
    ]);
    expect(streams.find((s) => s.name === 'WEIGHTS')!.maxPerSubject).toBe(1);
    expect(Object.fromEntries(buckets.map((b) => [b.name, b.ttlMs]))).toEqual({
      jobs: 0,
      sessions: 7 * 24 * 3_600_000,
      notices: 0,
      budgets: 0,
      credentials: 0,
      joins: 7 * 24 * 3_600_000,
      leases: 10_000,
      nodes: 15_000,
      rates: 86_400_000,
      policies: 0,
      scheduler: 0,
      schedules: 0,
      agents: 0,
      experiments: 0,
      served: 7 * 24 * 3600 * 1000,
    });
    expect(streamOf('scored.job.train', streams)?.name).toBe('SCORED');
    expect(streamOf('other.job', streams)).toBeUndefined();
  });

  it('a duplicate window is never longer than the life of a message: servers refuse that', () => {
    const { streams, buckets } = topology({ leaseTtlMs: 1500 });
    const configs = [...streams.map((s) => streamConfig(s, 1)), ...buckets.map((b) => bucketConfig(b, 1))];
    for (const { max_age = 0, duplicate_window = 0 } of configs)
      if (max_age > 0) expect(duplicate_window).toBeLessThanOrEqual(max_age);
  });
});

describe('features', () => {
  it('are there from their version on', () => {
    expect(compareVersions('2.9.10', '2.9.9')).toBeGreaterThan(0);
    expect(compareVersions('v2.12.7-beta.1', '2.12.7')).toBe(0);
    expect(hasFeature('2.9.10', 'directGet')).toBe(true);
    expect(hasFeature('2.9.10', 'messageTtl')).toBe(false);
    expect(hasFeature(FEATURES.messageTtl, 'messageTtl')).toBe(true);
    expect(() => checkServerVersion('2.8.4')).toThrow('too old');
    expect(() => checkServerVersion('?')).toThrow('cannot read');
  });
});

describe('wire forms', () => {
  it('delivery is read from old and new reply subjects', () => {
    const expected = { deliveryCount: 2, sequence: 17, timeMs: 1_700_000_000_123 };
    expect(parseDelivery('$JS.ACK.GROUPS.reward.2.17.9.1700000000123456789.4')).toEqual(expected);
    expect(parseDelivery('$JS.ACK._.hash.GROUPS.reward.2.17.9.1700000000123456789.4.token')).toEqual(expected);
    expect(parseDelivery('_INBOX.x')).toBeUndefined();
  });

  it('a dead letter survives its headers', () => {
    const letter = {
      stream: 'GROUPS',
      subject: 'group.a',
      data: Uint8Array.of(1),
      id: 'i',
      sequence: 3,
      reason: 'r',
      deliveries: 2,
      headers: { a: 'b' },
    } as const;
    expect(deadLetterOf({ data: letter.data, headers: deadLetterHeaders(letter) })).toEqual(letter);
  });
});
