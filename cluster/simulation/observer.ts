import type { BusMessage } from '../../src/bus/bus.ts';
import type { TableName } from '../../src/records/tables.ts';
import type { Sometimes } from './invariants/sometimes.ts';

/** What is seen of a run from outside: what NATS has stored, what was acknowledged, what the store has. */
export interface Observer {
  /** A message is stored in its stream. */
  published(message: { node: string; subject: string; data: Uint8Array; id: string; sequence: number }): void;
  /** A publish that a process asked for then (in virtual ms) was carried out, also one that NATS took for a message that it has; before {@link Observer.published}. */
  sent(message: { life: string; subject: string; data: Uint8Array; id: string; askedAt: number }): void;
  /** A process was given what a stream holds on these subjects. */
  read(read: { life: string; stream: string; filter: string; at: number }): void;
  /** A message was deleted by a process. */
  deleted(message: { node: string; stream: string; sequence: number }): void;
  /** A stream or bucket was deleted with all that was in it, or one durable of a stream. */
  lost(place: { stream: string; durable: string | undefined }): void;
  /** An acknowledgement has reached NATS. */
  acked(ack: { node: string; stream: string; durable: string; message: Pick<BusMessage, 'subject' | 'id' | 'sequence'> }): void;
  /** A value of a bucket was written; `value` is undefined when it was deleted. */
  written(write: { node: string; bucket: string; key: string; value: Uint8Array | undefined; revision: number }): void;
  /** A state was reached that long runs must reach. */
  saw(state: Sometimes): void;
  /** The machine has lost power and is on again: what is on its disk is what was synced, and some more. */
  powerLost(): void;
  /** Rows are in the store. */
  inserted(table: TableName, rows: Uint8Array): void;
}

/** A promise of the design does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation';
  /** Name of the invariant, e.g. `ledger-adds-up`. */
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(message);
    this.invariant = invariant;
  }
}
