import type { StreamState, TopologyPart } from '../../src/bus/bus.ts';
import { WORK_DURABLES } from '../../src/protocol/durables.ts';
import { HELD, SCORED } from '../../src/protocol/names.ts';
import { ALL, heldSubject } from '../../src/protocol/subjects.ts';
import { writerBacklog } from '../../src/protocol/writer-durables.ts';
import type { NodeContext } from '../runtime/context.ts';

/** How old an answer may be. Each job looks once a second: what it sees is newer than its own last look. */
const MAX_AGE_MS = 500;

interface Look {
  at: number;
  answer: Promise<unknown>;
}

/** What the actors of jobs look at once a second, asked for once for all jobs of a node: it would be some twenty requests for each. */
export class SharedLooks {
  readonly #context: Pick<NodeContext, 'bus' | 'clock' | 'files'>;
  readonly #looks = new Map<string, Look>();

  constructor(context: Pick<NodeContext, 'bus' | 'clock' | 'files'>) {
    this.#context = context;
  }

  /** See {@link NodeContext.bus}. */
  topology(): Promise<TopologyPart[]> {
    return this.#recent('topology', () => this.#context.bus.inspectTopology());
  }

  /** The incarnations of all durables on SCORED, and of those that hand out work, by their places `SCORED/writer`. */
  durables(): Promise<ReadonlyMap<string, string>> {
    return this.#recent('durables', async () => {
      const { bus } = this.#context;
      const found = new Map((await bus.durables(SCORED)).map(({ durable, created }) => [`${SCORED}/${durable}`, created]));
      for (const { stream, durable } of WORK_DURABLES) {
        const state = await bus.durableState(stream, durable);
        if (state) found.set(`${stream}/${durable}`, state.created);
      }
      return found;
    });
  }

  /** Scored groups that wait to be written. */
  backlog(): Promise<number> {
    return this.#recent('backlog', () => writerBacklog(this.#context.bus));
  }

  /** What stream HELD has of a job. @param expected - messages that it had: a look from before they came is not taken */
  async held(job: string, expected: number): Promise<Pick<StreamState, 'messages' | 'lastSequence'>> {
    const { lastSequence, counts } = await this.#recent('held', async () => {
      const { bus } = this.#context;
      const state = await bus.streamState(HELD);
      return { ...state, counts: state.messages === 0 ? new Map<string, number>() : await bus.subjectCounts(HELD, ALL.held) };
    });
    const messages = counts.get(heldSubject(job)) ?? 0;
    return messages < expected ? this.#context.bus.streamState(HELD, heldSubject(job)) : { messages, lastSequence };
  }

  /** Bytes that are free on the disk of a folder. */
  freeBytes(folder: string): Promise<number | undefined> {
    return this.#recent(`disk ${folder}`, () => this.#context.files.freeBytes(folder));
  }

  #recent<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const now = this.#context.clock.monotonic();
    const known = this.#looks.get(what);
    if (known && now - known.at < MAX_AGE_MS) return known.answer as Promise<T>;
    const look = { at: now, answer: ask() };
    this.#looks.set(what, look);
    look.answer.catch(() => {
      if (this.#looks.get(what) === look) this.#looks.delete(what);
    });
    return look.answer;
  }
}
