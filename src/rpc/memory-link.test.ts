import { describe, expect, it } from 'vitest';
import type { WorkRequest, WorkResponse } from '../gen/millrace/v1/learner_pb.ts';
import { linkConformance } from './link-conformance.ts';
import { memoryLinkPair } from './memory-link.ts';

describe('memory link', () => {
  linkConformance(() => {
    const [server, client] = memoryLinkPair<WorkRequest, WorkResponse>();
    return Promise.resolve({ server, client });
  });

  it('delivers by microtask, without timers', async () => {
    const [left, right] = memoryLinkPair<string, number>();
    const seen: unknown[] = [];
    left.onMessage((message) => seen.push(message));
    right.onMessage((message) => seen.push(message));
    void left.send(1);
    void right.send('a');
    void left.send(2);
    expect(seen).toEqual([]);
    for (let i = 0; i < 4; i++) await Promise.resolve();
    expect(seen).toEqual([1, 'a', 2]);
  });
});
