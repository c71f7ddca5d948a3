import type { Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { JobState } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { TableName } from '../../../src/records/tables.ts';
import { Violation, type Observer } from '../observer.ts';
import type { World } from '../world.ts';

/** Everything that must hold, looked at whenever NATS or the store change. */
export class Invariants implements Observer {
  /** Rejects with the first {@link Violation}. */
  readonly broken: Promise<never>;
  #break!: (violation: Violation) => void;
  readonly #seen = new Set<string>();

  constructor(_world: World) {
    this.broken = new Promise((_, reject) => (this.#break = reject));
    this.broken.catch(() => {});
  }

  published(_message: Parameters<Observer['published']>[0]): void {}
  acked(_ack: Parameters<Observer['acked']>[0]): void {}
  written(_write: Parameters<Observer['written']>[0]): void {}
  inserted(_table: TableName, _rows: Uint8Array): void {}

  /** A client has looked at the job. */
  looked(_job: Job): void {}

  async jobEnded(job: Job): Promise<void> {
    if (job.state !== JobState.SUCCEEDED) throw new Violation('job-succeeds', `${JobState[job.state]}: ${job.error}`);
  }

  seen(): string[] {
    return [...this.#seen].sort();
  }

  fail(invariant: string, message: string): void {
    this.#break(new Violation(invariant, message));
  }
}
