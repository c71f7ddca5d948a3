import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ScoredGroupSchema } from '../gen/millrace/v1/training_pb.ts';
import { scoredItem } from './incoming-rows.ts';

const message = (data: Uint8Array) => ({ subject: 'scored.a.train', id: 'x', sequence: 1, data });

describe('scoredItem', () => {
  it('refuses a group with neither request nor rows: bytes that are nothing of ours can pass for one', () => {
    expect(() => scoredItem(message(new Uint8Array()))).toThrow('no request and no rows');
  });

  it('takes a group without rows that names its request: one that was given up', () => {
    const group = create(ScoredGroupSchema, { request: { id: 'a:0:one:0', job: 'a' } });
    expect(scoredItem(message(toBinary(ScoredGroupSchema, group))).rows).toBe(0);
  });
});
