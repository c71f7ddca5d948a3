import type { BusMessage } from '../../src/bus/bus.ts';
import type { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { JobEntry } from '../jobs/directory.ts';

/** What arrives in a job actor's mailbox. */
export type JobMessage =
  | { kind: 'manifest'; manifest: WeightManifest }
  | { kind: 'unreadable'; error: MillraceError }
  | { kind: 'record'; entry: JobEntry }
  | { kind: 'evaluation'; message: BusMessage }
  | { kind: 'look' };
