import type { Clock } from '../../src/clock/clock.ts';
import type { MillraceError } from '../../src/errors.ts';
import type { Health } from '../../src/telemetry/metrics-server.ts';

/** A node whose last heartbeat was taken longer ago than this is not connected: four heartbeats. */
const CONNECTED_MS = 8_000;
/** Heartbeats end within ten seconds, taken or not; without one that ended for so long the node is stuck. */
const STUCK_MS = 60_000;

/** What a node says of itself to those who watch over it: whether to start it again (`live`), and whether it does its work (`ready`). */
export class NodeHealth {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #phase: 'starting' | 'running' | 'draining' = 'starting';
  #step = '';
  #failure: MillraceError | undefined;
  /** When the last heartbeat ended, and when the last one was taken. */
  #endedAt = 0;
  #takenAt = -Infinity;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** It does this, before it runs. */
  starting(step: string): void {
    this.#step = step;
  }

  /** Its roles have started. */
  running(): void {
    this.#phase = 'running';
    this.heartbeat(true);
  }

  draining(): void {
    this.#phase = 'draining';
  }

  /** It cannot go on. */
  failed(error: MillraceError): void {
    this.#failure ??= error;
  }

  /** A heartbeat has ended; `taken`: NATS has it. */
  heartbeat(taken: boolean): void {
    this.#endedAt = this.#clock.monotonic();
    if (taken) this.#takenAt = this.#endedAt;
  }

  /** Not OK once it is stuck, or cannot go on. Starting, draining and waiting for NATS are not: a new process would do the same. */
  live(): Health {
    const reasons: string[] = [];
    if (this.#failure) reasons.push(`it cannot go on: ${this.#failure.message}`);
    const silentMs = this.#clock.monotonic() - this.#endedAt;
    if (this.#phase === 'running' && silentMs > STUCK_MS) reasons.push(`no heartbeat has ended for ${seconds(silentMs)}`);
    return { ok: reasons.length === 0, status: reasons.length === 0 ? this.#phase : 'stuck', reasons };
  }

  /** OK while its roles run and NATS takes its heartbeats. */
  ready(): Health {
    const { ok, status, reasons } = this.live();
    if (!ok) return { ok, status, reasons };
    if (this.#phase === 'starting') return { ok: false, status: 'starting', reasons: [this.#step || 'loading'] };
    if (this.#phase === 'draining') return { ok: false, status: 'draining', reasons: ['it was told to end'] };
    const silentMs = this.#clock.monotonic() - this.#takenAt;
    if (silentMs <= CONNECTED_MS) return { ok: true, status: 'ready', reasons: [] };
    return { ok: false, status: 'disconnected', reasons: [`NATS has taken no heartbeat for ${seconds(silentMs)}`] };
  }
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
