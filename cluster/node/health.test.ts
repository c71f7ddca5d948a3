import { beforeEach, describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { NodeHealth } from './health.ts';

let now: number;
let health: NodeHealth;
beforeEach(() => {
  now = 1_000;
  health = new NodeHealth({ monotonic: () => now });
});

describe('the health of a node', () => {
  it('while it starts, however long that takes: alive, not ready, with what it does', () => {
    health.starting('opening the database');
    now += 3_600_000;
    expect(health.live()).toEqual({ ok: true, status: 'starting', reasons: [] });
    expect(health.ready()).toEqual({ ok: false, status: 'starting', reasons: ['opening the database'] });
  });

  it('that runs: ready', () => {
    health.running();
    expect([health.live().ok, health.ready()]).toEqual([true, { ok: true, status: 'ready', reasons: [] }]);
  });

  it('without NATS: not ready, but no new process is needed', () => {
    health.running();
    for (let i = 0; i < 20; i += 1) {
      now += 10_000;
      health.heartbeat(false);
    }
    expect(health.live().ok).toBe(true);
    expect(health.ready()).toEqual({ ok: false, status: 'disconnected', reasons: ['NATS has taken no heartbeat for 200 s'] });
    health.heartbeat(true);
    expect(health.ready().ok).toBe(true);
  });

  it('whose heartbeats do not end any more: stuck', () => {
    health.running();
    now += 61_000;
    expect(health.live()).toEqual({ ok: false, status: 'stuck', reasons: ['no heartbeat has ended for 61 s'] });
    expect(health.ready().status).toBe('stuck');
  });

  it('that cannot go on: stuck, and why', () => {
    health.running();
    health.failed(new MillraceError('unavailable', 'the connection was closed'));
    expect(health.live()).toEqual({ ok: false, status: 'stuck', reasons: ['it cannot go on: the connection was closed'] });
  });

  it('that drains: alive, not ready', () => {
    health.running();
    health.draining();
    now += 120_000;
    expect([health.live().ok, health.ready().status]).toEqual([true, 'draining']);
  });
});
