import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { MillraceError } from '../../../src/errors.ts';
import { ServedTaskSchema, ServeTaskSchema, type ServedTask } from '../../../src/gen/millrace/v1/serving_pb.ts';
import { servedSubject, serveSubject } from '../../../src/protocol/subjects.ts';
import { randomId } from '../../../src/random/id.ts';
import type { AskWorker } from '../../admin/serving/context.ts';
import type { NodeContext } from '../../runtime/context.ts';
import type { NodeInfo, NodeList } from '../../runtime/nodes.ts';

interface Call {
  node: string;
  /** Of the process that was asked. */
  startedAt: number;
  answer: (answered: ServedTask) => void;
  fail: (error: MillraceError) => void;
}

/** How often it is looked whether the workers that were asked are still there. */
const LOOK_MS = 1_000;
/** A node that stops says so first and answers then: so long after it was last seen its answer cannot come any more. */
const STOPPED_MS = 6_000;

/**
 * Has live tasks solved by rollout workers, which may run the code of flows. A task is sent once, to the worker that has the fewest of this node:
 * what its tools have done is not done again because an answer was lost.
 */
export class WorkerCalls {
  readonly #context: NodeContext;
  readonly #nodes: Pick<NodeList, 'withRole'>;
  readonly #open = new Map<string, Call>();
  /** Workers that were asked and are not there now, with the time when that was first seen. */
  readonly #gone = new Map<string, number>();
  readonly #stop: () => void;
  /** Set while tasks are being solved. */
  #stopLooking: (() => void) | undefined;
  #turn = 0;

  constructor(context: NodeContext, nodes: Pick<NodeList, 'withRole'>) {
    this.#context = context;
    this.#nodes = nodes;
    this.#stop = context.bus.listen(servedSubject(context.id), (data) => this.#answered(data));
  }

  /** See {@link AskWorker}. */
  readonly ask: AskWorker = async (task) => {
    const { bus, clock, id, random } = this.#context;
    const { id: node, startedAt } = this.#leastBusy();
    const call = randomId(random);
    const message = toBinary(ServeTaskSchema, create(ServeTaskSchema, { ...task, call, replyTo: id }));
    const waitMs = Math.max(0, Number(task.deadlineUs) / 1000 - clock.now());
    let stop = (): void => {};
    try {
      return await new Promise<ServedTask>((resolve, reject) => {
        this.#open.set(call, { node, startedAt, answer: resolve, fail: reject });
        this.#stopLooking ??= clock.every(LOOK_MS, () => this.#lookAfterWorkers());
        stop = clock.after(waitMs, () => reject(late(node, waitMs)));
        bus.emit(serveSubject(node), message);
      });
    } finally {
      stop();
      this.#open.delete(call);
      if (this.#open.size === 0) this.#endLooking();
    }
  };

  close(): void {
    this.#stop();
    this.#endLooking();
  }

  #endLooking(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
    this.#gone.clear();
  }

  /** A task whose worker was killed is not waited for until its time is over. */
  #lookAfterWorkers(): void {
    const now = this.#context.clock.now();
    const there = new Map(this.#nodes.withRole('rollout').map(({ id, startedAt }) => [id, startedAt]));
    for (const id of this.#gone.keys()) if (there.has(id)) this.#gone.delete(id);
    for (const { node, startedAt, fail } of [...this.#open.values()]) {
      const present = there.get(node);
      if (present === undefined && !this.#gone.has(node)) this.#gone.set(node, now);
      const goneSince = this.#gone.get(node) ?? now;
      if ((present !== undefined && present !== startedAt) || now - goneSince >= STOPPED_MS) fail(lost(node));
    }
  }

  #leastBusy(): Pick<NodeInfo, 'id' | 'startedAt'> {
    const workers = this.#nodes.withRole('rollout');
    if (workers.length === 0)
      throw new MillraceError('unavailable', 'No rollout worker is there to run the flow; `millrace node list` shows the nodes.');
    const busy = new Map<string, number>();
    for (const { node } of this.#open.values()) busy.set(node, (busy.get(node) ?? 0) + 1);
    // Of those with equally few the next in turn.
    this.#turn += 1;
    const from = this.#turn % workers.length;
    const inTurn = [...workers.slice(from), ...workers.slice(0, from)];
    return inTurn.reduce((best, node) => ((busy.get(node.id) ?? 0) < (busy.get(best.id) ?? 0) ? node : best));
  }

  #answered(data: Uint8Array): void {
    let served: ServedTask;
    try {
      served = fromBinary(ServedTaskSchema, data);
    } catch (thrown) {
      this.#context.log.warn({ err: MillraceError.from(thrown) }, 'an answer to a live task cannot be read');
      return;
    }
    // Whoever asked may have given up.
    this.#open.get(served.call)?.answer(served);
  }
}

function lost(node: string): MillraceError {
  return new MillraceError(
    'unavailable',
    `Rollout worker ${node} was lost while it solved the task. What its tools had done until then is not known.`,
    { retryable: false },
  );
}

function late(node: string, waitMs: number): MillraceError {
  return new MillraceError(
    'deadline_exceeded',
    `Rollout worker ${node} did not solve the task within ${Math.round(waitMs)} ms.`,
    {
      // Its tools may have done something.
      retryable: false,
    },
  );
}
