import { connectMemory } from '../../../src/bus/memory/memory-bus.ts';
import type { Random } from '../../../src/random/random.ts';
import { groupSubject, heldSubject, rolloutSubject, scoredSubject } from '../../../src/protocol/subjects.ts';
import type { World } from '../world.ts';
import type { PlannedFault } from './plan.ts';

/** How the ids of messages begin that nobody can read. */
export const GARBAGE = 'garbage';

const SUBJECTS = [
  rolloutSubject('job'),
  groupSubject('job'),
  scoredSubject('job', 'train'),
  scoredSubject('job', 'evaluate'),
  heldSubject('job'),
];

const bytesOf = (length: number, byte: () => number): Uint8Array => Uint8Array.from({ length }, byte);

/** Bytes that are no message of ours: some of them can be read as one in which nothing is set. */
const KINDS: readonly ((draw: Random) => Uint8Array)[] = [
  (draw) => bytesOf(1 + draw.integer(64), () => draw.integer(256)),
  () => new Uint8Array(),
  // A field that no message of ours has, as somebody else's protobuf would begin.
  (draw) => Uint8Array.of(0xf8, 0x07, draw.integer(128)),
  () => new TextEncoder().encode('{"job":"job"}'),
];

/** Somebody with the right to do so publishes bytes that are no message of this cluster. */
export async function publishGarbage({ server, random, recorder }: World, { id, at }: PlannedFault): Promise<void> {
  const draw = random.fork(id);
  const subject = SUBJECTS[draw.integer(SUBJECTS.length)]!;
  const bytes = KINDS[draw.integer(KINDS.length)]!(draw);
  const bus = connectMemory(server);
  const from = recorder.note('stranger', 'publish', `${subject} ${GARBAGE}:${at}`, { fault: id });
  // Its stream may be gone.
  const ack = await bus.publish(subject, bytes, { id: `${GARBAGE}:${at}` }).catch(() => undefined);
  if (ack) recorder.note('nats', 'stored', `${subject} ${GARBAGE} #${ack.sequence}`, { from });
  await bus.close();
}
