import type { BusMessage } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import type { ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { hasParts, readParts, releaseParts } from '../../src/protocol/parts.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Reads the experience of a group that travels in parts. False when it is lost, and the message given up. */
export async function readExperience(
  { bus }: Pick<NodeContext, 'bus'>,
  scored: ScoredGroup,
  message: BusMessage,
): Promise<boolean> {
  if (!hasParts(message)) return true;
  try {
    scored.experience = await readParts(bus, message);
    return true;
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    if (error.code !== 'data_loss') throw error;
    message.term(error.message);
    return false;
  }
}

/** Acknowledges a group, then deletes its parts. */
export async function settle({ bus, log }: Pick<NodeContext, 'bus' | 'log'>, job: string, message: BusMessage): Promise<void> {
  await message.ack();
  await releaseParts(bus, message).catch((error: unknown) => {
    log.warn({ err: error, job }, 'parts of a group stay until the job ends');
  });
}
