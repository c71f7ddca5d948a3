import type { Bus, TopologyPart } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Logger } from '../../src/telemetry/log.ts';

const DOCTOR = '`millrace doctor`';
const AGAIN_MS = 2_000;
const LOOK_MS = 250;
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

/**
 * Waits until somebody else has made the streams and buckets. For nodes that could be started with other settings than the rest of the cluster, or
 * in another version, and must not change what it has; they go on with other limits than theirs, which a line in the log names.
 */
export async function awaitTopology(bus: Bus, { clock, log, onTrouble }: Omit<TopologyStart, 'wasUp'>): Promise<void> {
  for (let told = ''; ;) {
    const parts = await bus.inspectTopology();
    const obstacle = obstacleOf(parts);
    if (obstacle === undefined) {
      const different = parts.filter(({ problem }) => problem !== undefined);
      if (different.length > 0) log.warn({ different }, 'streams or buckets have other settings than this node would give them');
      return;
    }
    if (obstacle !== told) onTrouble?.(`waiting: ${obstacle}`);
    told = obstacle;
    await clock.sleep(LOOK_MS);
  }
}

/** What is not there yet, or cannot be used as it is. */
function obstacleOf(parts: readonly TopologyPart[]): string | undefined {
  const missing = parts.filter(({ created }) => created === undefined).map(({ name }) => name);
  if (missing.length > 0) return `no coordinator or store has made these streams and buckets yet: ${missing.join(', ')}`;
  const part = parts.find(({ fixed }) => fixed);
  return part && `${part.kind} ${part.name}: ${part.problem}; ${DOCTOR} shows what to do`;
}

/** Whether a node's start failed with something that the next start would find again. */
export function needsPerson({ code, field }: { code: string; field?: string | undefined }): boolean {
  return code === 'invalid_argument' || field?.startsWith(FIELD) === true;
}
