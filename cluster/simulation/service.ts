import type { MessageFault } from './faults/kinds.ts';
import { reportedCost, type PaidCalls, type PaidService } from './money.ts';
import { Violation } from './observer.ts';
import type { World } from './world.ts';

/** What the flow of a simulated job finds as `globalThis.millraceSimulation`: the service that its tools and its reward call. */
export interface FlowService {
  /** A number for each trajectory that is begun. */
  begun(): number;
  /** Answers a tool after a while; throws where the service fails; says when to call again where it is busy. */
  tool(where: string, name: PaidService, signal: AbortSignal): Promise<Busy>;
  /** What a call of a tool, or of the reward, says that it cost, in US dollars; undefined where it says nothing. */
  cost(name: PaidService): number | undefined;
  /** As {@link FlowService.tool}, for the reward of a trajectory that was begun with this number. */
  reward(trajectory: number, where: string): Promise<Busy>;
  /** A trajectory whose tool failed is about to be scored. */
  brokenIsScored(trajectory: number): void;
}

type Busy = { retryAfterMs: number } | undefined;

/** What the service knows of the answers that it gave. */
export interface ServiceFacts {
  /** Whether the service failed at every call for the reward of the trajectory with this answer. */
  rewardNeverAnswered(answerJson: string): boolean;
  /** What an answer of the flow is worth. Default: nobody here can say. */
  worth?(answerJson: string): number;
}

/** How long a call takes at most when nothing is wrong, in ms. */
const LONGEST_MS = 100;
/** How late an answer is at most, in ms. */
const LATEST_MS = 4_000;

/** The service of a run; its faults follow from the seed. */
export class SimulatedService implements FlowService, ServiceFacts {
  readonly #world: World;
  readonly #draw: () => number;
  readonly #fail: (violation: Violation) => void;
  readonly #calls: PaidCalls | undefined;
  readonly #answered = new Set<number>();
  readonly #failed = new Set<number>();
  #begun = 0;

  /** @param calls - kept where calls cost something */
  constructor(world: World, fail: (violation: Violation) => void, calls?: PaidCalls) {
    const random = world.random.fork('service');
    this.#world = world;
    this.#draw = () => random.uniform();
    this.#fail = fail;
    this.#calls = calls;
  }

  begun(): number {
    this.#begun += 1;
    return this.#begun;
  }

  tool(where: string, name: PaidService, signal: AbortSignal): Promise<Busy> {
    return this.#paid(name, this.#answer(where, { failed: 'tool-failed', hangs: 'tool-hangs', late: 'tool-late' }), signal);
  }

  cost(name: PaidService): number | undefined {
    return this.#calls && reportedCost(name);
  }

  async reward(trajectory: number, where: string): Promise<Busy> {
    this.#failed.add(trajectory);
    const busy = await this.#paid('reward', this.#answer(where, { failed: 'reward-failed', hangs: 'reward-hangs' }));
    if (!busy) this.#answered.add(trajectory);
    return busy;
  }

  brokenIsScored(trajectory: number): void {
    this.#fail(new Violation('no-reward-from-failure', `trajectory ${trajectory} goes on to its reward after its tool failed`));
  }

  rewardNeverAnswered(answerJson: string): boolean {
    const { trajectory } = JSON.parse(answerJson) as { trajectory?: number };
    return trajectory !== undefined && this.#failed.has(trajectory) && !this.#answered.has(trajectory);
  }

  /** As `reward` of the flow of simulated jobs says. */
  worth(answerJson: string): number {
    const { pulls } = JSON.parse(answerJson) as { pulls: string[] };
    return pulls.filter((name) => name !== 'red').length / 2;
  }

  /** Keeps count of a call that costs something: one that fails, hangs, or was given up before its answer, may have cost all that it may. */
  async #paid(name: PaidService, answer: Promise<Busy>, signal?: AbortSignal): Promise<Busy> {
    const call = this.#calls?.begin(name);
    const busy = await answer;
    if (signal?.aborted) return busy;
    if (busy) call?.refused();
    else call?.answered();
    return busy;
  }

  async #answer(where: string, kinds: { failed: MessageFault; hangs: MessageFault; late?: MessageFault }): Promise<Busy> {
    const { clock, faults } = this.#world;
    await clock.sleep(this.#draw() * LONGEST_MS);
    const busy = faults.strikes('tool-busy', where);
    if (busy) return { retryAfterMs: 1 + Math.round(busy.amount * LATEST_MS) };
    const failed = faults.strikes(kinds.failed, where);
    if (failed) throw brokenService(failed.id);
    if (faults.strikes(kinds.hangs, where)) return new Promise(() => {});
    const late = kinds.late && faults.strikes(kinds.late, where);
    if (late) await clock.sleep(late.amount * LATEST_MS);
    return undefined;
  }
}

/** Without a place in the code: failed flows are stored with theirs, and what is stored must not depend on where our modules lie. */
function brokenService(fault: string): Error {
  const error = new Error(`the service is broken (${fault})`);
  delete error.stack;
  return error;
}

/** Runs `work` with the service in place. One run at a time in a process. */
export async function withService<T>(service: FlowService, work: () => Promise<T>): Promise<T> {
  const place = globalThis as { millraceSimulation?: FlowService };
  place.millraceSimulation = service;
  try {
    return await work();
  } finally {
    delete place.millraceSimulation;
  }
}
