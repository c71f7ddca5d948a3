import { connectMemory } from '../../../src/bus/memory/memory-bus.ts';
import { groupSubject, rolloutSubject, scoredSubject } from '../../../src/protocol/subjects.ts';
import type { World } from '../world.ts';
import type { PlannedFault } from './plan.ts';

/** How the ids of messages begin that nobody can read. */
export const GARBAGE = 'garbage';

const SUBJECTS = [rolloutSubject('job'), groupSubject('job'), scoredSubject('job', 'train'), scoredSubject('job', 'evaluate')];

/** Somebody with the right to do so publishes bytes that are no message of this cluster. */
export async function publishGarbage({ server, random, recorder }: World, { id, at }: PlannedFault): Promise<void> {
  const draw = random.fork(id);
  const subject = SUBJECTS[draw.integer(SUBJECTS.length)]!;
  const bytes = Uint8Array.from({ length: 1 + draw.integer(64) }, () => draw.integer(256));
  const bus = connectMemory(server);
  const from = recorder.note('stranger', 'publish', `${subject} ${GARBAGE}:${at}`, { fault: id });
  const { sequence } = await bus.publish(subject, bytes, { id: `${GARBAGE}:${at}` });
  recorder.note('nats', 'stored', `${subject} ${GARBAGE} #${sequence}`, { from });
  await bus.close();
}
