import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Logger } from '../../src/telemetry/log.ts';

const DOCTOR = '`millrace doctor`';
const AGAIN_MS = 2_000;
/** Begins the field of an error that lasts until a person has changed something in JetStream. */
const FIELD = 'jetstream.';

/** Options of {@link startTopology}. */
export interface TopologyStart {
  clock: Clock;
  log: Logger;
  /** The node ran before in this cluster: it waits until what is in the way has been changed. Default false: it fails. */
  wasUp?: boolean | undefined;
  /** Told in words, once for each problem, what the node waits for. */
  onTrouble?: ((text: string) => void) | undefined;
}

/**
 * Makes the streams and buckets. When one is in the way that the server cannot bring in line (made by another program, or with settings that
 * cannot be changed), trying again at once would not help: a first start fails with an error of {@link needsPerson}, a later one waits.
 */
export async function startTopology(bus: Bus, { clock, log, wasUp = false, onTrouble }: TopologyStart): Promise<void> {
  let told = '';
  for (;;) {
    try {
      await bus.ensureTopology();
      if (told !== '') onTrouble?.('the streams and buckets are as they should be now; going on');
      return;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'failed_precondition') throw error;
      const message = error.message.includes(DOCTOR) ? error.message : `${error.message}; ${DOCTOR} shows what to do`;
      if (!wasUp) throw new MillraceError(error.code, message, { cause: error, field: `${FIELD}${error.field ?? ''}` });
      if (message !== told) {
        log.error({ err: error }, 'waiting until a stream or bucket is changed');
        onTrouble?.(`waiting: ${message}`);
      }
      told = message;
      await clock.sleep(AGAIN_MS);
    }
  }
}

/** Whether a node's start failed with something that the next start would find again. */
export function needsPerson({ code, field }: { code: string; field?: string | undefined }): boolean {
  return code === 'invalid_argument' || field?.startsWith(FIELD) === true;
}
