import type { MessageFault } from './faults/kinds.ts';
import type { World } from './world.ts';

/** What the flow of a simulated job finds as `globalThis.millraceSimulation`: the service that its tools and its reward call. */
export interface SimulatedService {
  /** Answers after a while; throws where it fails; says when to call again where it is busy. */
  call(at: 'tool' | 'reward', where: string): Promise<{ retryAfterMs: number } | undefined>;
}

/** How long a call takes at most when nothing is wrong, in ms. */
const LONGEST_MS = 100;
/** How late an answer is at most, in ms. */
const LATEST_MS = 4_000;

/** The service of a run; its faults follow from the seed. */
export function simulatedService({ clock, faults, random, recorder }: World): SimulatedService {
  const draw = random.fork('service');
  return {
    async call(at, where) {
      const strikes = (kind: MessageFault) => faults.strikes(kind, where);
      await clock.sleep(draw.uniform() * LONGEST_MS);
      const busy = strikes('tool-busy');
      if (busy) return { retryAfterMs: 1 + Math.round(busy.amount * LATEST_MS) };
      const failed = strikes(at === 'tool' ? 'tool-failed' : 'reward-failed');
      if (failed) throw new Error(`the service is broken (${failed.id})`);
      const hangs = strikes(at === 'tool' ? 'tool-hangs' : 'reward-hangs');
      if (hangs) return new Promise(() => {});
      const late = at === 'tool' ? strikes('tool-late') : undefined;
      if (late) await clock.sleep(late.amount * LATEST_MS);
      recorder.note('service', 'answer', `${at} of ${where}`);
      return undefined;
    },
  };
}

/** Runs `work` with the service in place. One run at a time in a process. */
export async function withService<T>(service: SimulatedService, work: () => Promise<T>): Promise<T> {
  const place = globalThis as { millraceSimulation?: SimulatedService };
  place.millraceSimulation = service;
  try {
    return await work();
  } finally {
    delete place.millraceSimulation;
  }
}
