import { connectMemory } from '../../../src/bus/memory/memory-bus.ts';
import { floatsFromBytes } from '../../../src/policy/float-bytes.ts';
import { BusWeightChannel } from '../../../src/weights/bus-weight-channel.ts';
import { Violation } from '../observer.ts';
import type { World } from '../world.ts';

/** The newest weights of the job as NATS has them, checked against their digest. */
export async function finalWeights({ server, clock, random }: World, job: string): Promise<Float32Array> {
  const bus = connectMemory(server);
  try {
    const channel = new BusWeightChannel(bus, { clock, random: random.fork('final weights') });
    const latest = await channel.latest(job);
    if (!latest) throw new Violation('weights-are-there', `job ${job} has no weights`);
    return floatsFromBytes(await channel.fetch(latest.manifest, 'weights'));
  } finally {
    await bus.close();
  }
}

/** How far weights of the same updates may be apart: learners sum in another order (promise 4). */
const TOLERANCE = 1e-6;

/**
 * Whatever was split, killed and repeated, the weights are those of a run with one learner and no faults (promises 4 and 6). Holds for
 * jobs with η = 0 in which no request was lost and no tool failed: then the same groups make the same updates.
 */
export function checkWeights(weights: Float32Array, reference: Float32Array): void {
  let worst = 0;
  for (const [i, value] of weights.entries()) worst = Math.max(worst, Math.abs(value - reference[i]!));
  if (weights.length === reference.length && worst <= TOLERANCE) return;
  throw new Violation('same-weights', `the weights differ by ${worst} from those of a run without faults`);
}
