import { setMaxListeners } from 'node:events';
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import { MillraceError } from '../../src/errors.ts';
import { runGroup } from '../../src/flow/group.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { HandBack } from '../../src/flow/retry-later.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import { ServedTaskSchema, ServeTaskSchema, type ServedTask, type ServeTask } from '../../src/gen/millrace/v1/serving_pb.ts';
import { ScoredGroupSchema, type TrajectoryGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import { scoredSubject, servedSubject, serveSubject } from '../../src/protocol/subjects.ts';
import { JobSpending } from '../jobs/job-spending.ts';
import type { NodeContext } from '../runtime/context.ts';
import { ServedPolicies } from './served-policies.ts';
import { servedGroup, servedRequest } from './served-group.ts';

type Answer = Pick<ServedTask, 'answerJson' | 'termination' | 'steps'>;

/** Live tasks that are worked on at the same time; more are refused, and their callers told to come later. */
const MOST_AT_ONCE = 64;
/** Bytes of an answer that may travel: a message has room for a megabyte. */
const MOST_ANSWER = 512 * 1024;

/**
 * Solves the live tasks that coordinators send to this node: with the policy of a checkpoint, greedily, in the flow of the job that trained it. The
 * rows of a run are in JetStream before its answer leaves. It never retries a task: retrying is up to the caller.
 */
export class LiveTasks {
  readonly #context: NodeContext;
  readonly #policies: ServedPolicies;
  readonly #batcher: MicroBatcher;
  readonly #spending: JobSpending;
  readonly #aborted = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #stopListening: () => void;

  constructor(context: NodeContext) {
    this.#context = context;
    this.#policies = new ServedPolicies(context);
    this.#batcher = new MicroBatcher({ clock: context.clock });
    this.#spending = new JobSpending(context);
    // Every flow in a tool listens to it.
    setMaxListeners(0, this.#aborted.signal);
    this.#stopListening = context.bus.listen(serveSubject(context.id), (data) => this.#take(data));
  }

  /** Takes no more, breaks off what runs after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopListening();
    const stop = this.#context.clock.after(timeoutMs, () => this.#aborted.abort());
    await Promise.all(this.#running);
    stop();
    this.#policies.close();
    await this.#spending.stop();
  }

  #take(data: Uint8Array): void {
    const { log } = this.#context;
    let task: ServeTask;
    try {
      task = fromBinary(ServeTaskSchema, data);
    } catch (thrown) {
      log.warn({ err: MillraceError.from(thrown) }, 'a live task cannot be read');
      return;
    }
    const work = this.#work(task).catch((thrown: unknown) =>
      log.warn({ err: MillraceError.from(thrown), request: task.requestId }, 'a live task could not be answered'),
    );
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #work(task: ServeTask): Promise<void> {
    const { bus, metrics } = this.#context;
    const { call, job } = task;
    let answer: MessageInitShape<typeof ServedTaskSchema>;
    try {
      answer = await this.#solve(task);
    } catch (thrown) {
      const { code, message, field = '' } = MillraceError.from(thrown);
      answer = { errorCode: code, errorMessage: message, errorField: field };
    }
    metrics.count('live_tasks_total', { job, outcome: answer.errorCode ?? 'ok' });
    bus.emit(servedSubject(task.replyTo), toBinary(ServedTaskSchema, create(ServedTaskSchema, { ...answer, call })));
  }

  async #solve(task: ServeTask): Promise<Answer> {
    if (this.#running.size >= MOST_AT_ONCE)
      throw new MillraceError('resource_exhausted', `The rollout worker has ${MOST_AT_ONCE} live tasks in hand; try again.`);
    const record = (await this.#context.jobs.find(task.job))?.record;
    if (record === undefined)
      throw new MillraceError('failed_precondition', `Job "${task.job}", which trained the policy, is gone.`, {
        field: 'version',
      });
    try {
      return await this.#run(task, record);
    } catch (thrown) {
      if (thrown instanceof HandBack) throw new MillraceError('unavailable', thrown.message, { cause: thrown });
      throw thrown;
    }
  }

  async #run(task: ServeTask, record: JobRecord): Promise<Answer> {
    const { clock, id: node } = this.#context;
    const { signal } = this.#aborted;
    return this.#policies.use(record, task.checkpointDigest, async ({ runtime, context, actor, policy }) =>
      this.#spending.use(record, async ({ cover, ...spending }) => {
        const group = await runGroup({
          ...{ request: servedRequest(task), flow: runtime.flow, context, node, clock, signal, spending },
          policy: { source: fixedPolicy(policy, task.version), actor, inference: this.#batcher },
          // Its tools may have done something: it is not sampled again.
          maxResamples: 0,
        });
        await cover();
        await this.#publish(group, task);
        return answerOf(group);
      }),
    );
  }

  async #publish(group: TrajectoryGroup, task: ServeTask): Promise<void> {
    const { bus, clock } = this.#context;
    const bytes = toBinary(ScoredGroupSchema, servedGroup(group, task));
    await publishWithRoom(bus, scoredSubject(task.job, 'rows'), bytes, { id: task.requestId, clock });
  }
}

/** What the caller is told of a run. */
function answerOf({ trajectories }: TrajectoryGroup): Answer {
  const { failure, failureMessage, answerJson, termination, steps } = trajectories[0]!;
  if (failure === FailureClass.INVALID_TASK) throw new MillraceError('invalid_argument', failureMessage, { field: 'task_json' });
  if (failure !== FailureClass.UNSPECIFIED)
    throw new MillraceError(
      'failed_precondition',
      `The flow ended without an answer (${FailureClass[failure]}): ${failureMessage}`,
      {
        field: 'flow',
      },
    );
  if (Buffer.byteLength(answerJson) <= MOST_ANSWER) return { answerJson, termination, steps };
  throw new MillraceError(
    'failed_precondition',
    `The answer has more than ${MOST_ANSWER} bytes: make the flow's answer shorter.`,
    {
      field: 'flow',
    },
  );
}
