import { describe, expect, it } from 'vitest';
import { decodeSession, encodeSession, SESSION_ID, sessionTrajectory, type SessionRecord } from './session.ts';

const id = '0123456789abcdef'.repeat(2);
const session: SessionRecord = {
  ...{ format: 1, id, keyHash: 'a'.repeat(64), job: 'support', recording: true, task: '{"id":"t1"}', taskId: 't1' },
  ...{ trajectory: sessionTrajectory('support', 0, id), split: 'train', createdAt: 1, expiresAt: 2 },
};

describe('the record of a session', () => {
  it('comes back as it was written, and damage is named', () => {
    expect(SESSION_ID.test(id)).toBe(true);
    expect(decodeSession(encodeSession(session), id)).toEqual(session);
    expect(() => decodeSession(encodeSession(session), 'another')).toThrow('under another key');
    expect(() => decodeSession(Buffer.from('{"format":9}'), id)).toThrow('upgrade');
    expect(() => decodeSession(encodeSession({ ...session, keyHash: 'x' }), id)).toThrow('keyHash');
  });
});
