import { GROUPS, ROLLOUTS } from '../../src/protocol/names.ts';
import { rolloutSubject, scoredSubject } from '../../src/protocol/subjects.ts';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { startDeadLetters, type DeadLetter } from '../../src/protocol/dead-letters.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import {
  Purpose,
  RolloutRequestSchema,
  ScoredGroupSchema,
  TrajectoryGroupSchema,
  Verdict,
  type RolloutRequest,
} from '../../src/gen/millrace/v1/training_pb.ts';
import { requestContent, requestsOfEachTask } from '../../src/jobs/requests.ts';
import type { NodeContext } from '../runtime/context.ts';
import { isAbout, WORKER_ENDED } from '../flow-watch/blame.ts';
import { watchJobNotices } from '../jobs/notice-list.ts';

/**
 * A request or group that was delivered too often (it takes its worker down every time) still has to end: it is scored as
 * failed, with its class, and goes the way of every other group. Of a request about several tasks each is asked for alone first: one that
 * takes workers down must not make the others fail. Returns a function that stops listening.
 */
export async function endLostRequests(context: NodeContext): Promise<() => Promise<void>> {
  const { bus, log } = context;
  const notices = watchJobNotices(context, () => undefined);
  const onDead = async (letter: DeadLetter): Promise<void> => {
    const lost = readRequest(letter);
    if (!lost) return;
    const { request, failure } = lost;
    if (!(await context.jobs.find(request.job))) {
      log.warn({ request: request.id, job: request.job, reason: letter.reason }, 'a request of no job was dropped');
      return;
    }
    if (request.tasks.length > 0) {
      log.warn(
        { request: request.id, reason: letter.reason },
        'a request about several tasks was given up; each is asked for alone',
      );
      for (const single of requestsOfEachTask(request))
        await bus.publish(rolloutSubject(request.job), toBinary(RolloutRequestSchema, single), {
          id: single.id,
          content: requestContent(single),
        });
      return;
    }
    await notices.ready.catch(() => undefined);
    const ended = notices.of(request.job).find((notice) => notice.code === WORKER_ENDED && isAbout(notice, request.taskId));
    log.error({ request: request.id, reason: letter.reason, deliveries: letter.deliveries }, 'a request was given up');
    const scored = create(ScoredGroupSchema, {
      request: { ...request, taskJson: '' },
      verdict: Verdict.FAILED,
      failure,
      failureMessage: `given up after ${letter.deliveries} deliveries: ${ended?.message ?? letter.reason}`,
      node: context.id,
      policyVersion: request.policyVersion,
    });
    const kind = request.purpose === Purpose.EVALUATE ? 'evaluate' : 'train';
    const same = { id: `${request.id}:lost`, content: requestContent(request) };
    await bus.publish(scoredSubject(request.job, kind), toBinary(ScoredGroupSchema, scored), same);
  };
  const onError = (error: unknown): void => log.warn({ err: error }, 'a dead letter could not be handled; it comes again');
  const deadLetters = await startDeadLetters(bus, onDead, { onError });
  return async () => {
    notices.close();
    await deadLetters.stop();
  };
}

function readRequest(letter: DeadLetter): { request: RolloutRequest; failure: FailureClass } | undefined {
  try {
    if (letter.stream === ROLLOUTS) {
      return { request: fromBinary(RolloutRequestSchema, letter.data), failure: FailureClass.WORKER_LOST };
    }
    if (letter.stream !== GROUPS) return undefined;
    const { request } = fromBinary(TrajectoryGroupSchema, letter.data);
    return request && { request, failure: FailureClass.REWARD_FAILED };
  } catch {
    return undefined;
  }
}
