import type { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { JobEntry } from '../jobs/directory.ts';
import type { AnsweredRequest } from '../jobs/scored-group.ts';
import type { Delivery } from '../runtime/delivery.ts';

/** What arrives in a job actor's mailbox. */
export type JobMessage =
  | { kind: 'manifest'; manifest: WeightManifest }
  | { kind: 'unreadable'; error: MillraceError }
  | { kind: 'record'; entry: JobEntry }
  | { kind: 'evaluation'; scored: AnsweredRequest; delivery: Delivery }
  | { kind: 'placed' }
  | { kind: 'room' }
  | { kind: 'look' };
