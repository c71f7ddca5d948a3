import type { AskReply } from '../../src/actor/behaviour.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { AnsweredRequest } from '../jobs/scored-group.ts';
import type { Delivery } from '../runtime/delivery.ts';

/** What arrives in the trainer's mailbox. */
export type TrainerMessage =
  | { kind: 'group'; scored: AnsweredRequest; delivery: Delivery }
  | { kind: 'job'; record: JobRecord }
  /** The durable was deleted with what was not acknowledged, and has been made again. */
  | { kind: 'reset' }
  /** Somebody could not read the weights of the newest version. */
  | { kind: 'damaged' }
  /** The job has ended; answered once the ledger is settled. */
  | { kind: 'end'; record: JobRecord; reply: AskReply<void> };
