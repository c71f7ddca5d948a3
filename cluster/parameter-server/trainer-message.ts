import type { Reply } from '../../src/actor/behaviour.ts';
import type { BusMessage } from '../../src/bus/bus.ts';
import type { JobRecord } from '../../src/jobs/record.ts';

/** What arrives in the trainer's mailbox. */
export type TrainerMessage =
  | { kind: 'group'; message: BusMessage }
  | { kind: 'job'; record: JobRecord }
  /** The durable was deleted with what was not acknowledged, and has been made again. */
  | { kind: 'reset' }
  /** Somebody could not read the weights of the newest version. */
  | { kind: 'damaged' }
  /** The job has ended; answered once the books are closed. */
  | { kind: 'end'; record: JobRecord; reply: Reply<void> };
