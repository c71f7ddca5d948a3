import type { JobRecord } from '../../../src/jobs/record.ts';
import { queuePlaces, type QueuePlace } from '../../../src/jobs/scheduler/queue.ts';
import type { NodeContext } from '../../runtime/context.ts';
import { PlaceList } from './place-list.ts';

/** The queue as the scheduler sees it, computed when somebody looks. */
export class QueueView {
  readonly #context: NodeContext;
  readonly #places: PlaceList;
  readonly #stopChanges: () => void;
  #queue: ReadonlyMap<string, QueuePlace> | undefined;

  constructor(context: NodeContext) {
    this.#context = context;
    this.#places = new PlaceList(context.bus);
    this.#places.onChange(() => (this.#queue = undefined));
    this.#stopChanges = context.jobs.onChange(({ record: { id, state } }) => {
      // Jobs that run change all the time, and are in no queue.
      if (state !== 'RUNNING' || this.#queue?.has(id)) this.#queue = undefined;
    });
  }

  /** The place of a queued job in the queue; undefined for a job that is not in it, or has got a place to run in. */
  async of({ id, state }: JobRecord): Promise<QueuePlace | undefined> {
    if (state !== 'QUEUED') return undefined;
    await this.#places.ready();
    this.#queue ??= this.#computed();
    return this.#queue.get(id);
  }

  close(): void {
    this.#stopChanges();
    this.#places.close();
  }

  #computed(): ReadonlyMap<string, QueuePlace> {
    const { jobs } = this.#context;
    const { admitted, places, owners } = this.#places.places;
    const placed = Object.keys(admitted).map((id) => ({ owner: jobs.get(id)?.record.owner ?? '' }));
    const waiting = jobs.active().flatMap(({ record }) => {
      const { id, state, ticket } = record;
      return state === 'QUEUED' && (this.#places.ticketOf(id) ?? 0) <= ticket ? [record] : [];
    });
    return queuePlaces({ placed, places, owners, waiting });
  }
}
