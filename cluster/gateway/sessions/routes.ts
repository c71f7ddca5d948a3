import type { Bus } from '../../../src/bus/bus.ts';
import type { Clock } from '../../../src/clock/clock.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { SessionRecord } from '../../../src/jobs/sessions/session.ts';
import { scoredSubject } from '../../../src/protocol/subjects.ts';
import type { JobDirectory } from '../../jobs/directory.ts';
import type { Route } from '../routes.ts';
import { checkedBody, rewardParams, sessionParams, taskIdOf } from './params.ts';
import type { Sessions } from './sessions.ts';
import { finishedGroup } from './trajectory.ts';

/** What {@link sessionRoutes} work with. */
export interface SessionRoutesContext {
  sessions: Sessions;
  bus: Pick<Bus, 'publish'>;
  clock: Pick<Clock, 'now'>;
  jobs: Pick<JobDirectory, 'find'>;
  /** Name of the node. */
  id: string;
}

/** A reward after the end of its session is taken this long. */
const REWARD_WITHIN_MS = 24 * 3_600_000;

/** `POST /v1/sessions`, and `/reward` and `/finish` of a session. They take scope `serve`, not the session's key: agents must not score themselves. */
export function sessionRoutes(context: SessionRoutesContext): Route[] {
  const { sessions, clock } = context;
  const route = (path: string, handle: Route['handle']): Route => ({ method: 'POST', path, handle });
  return [
    route('/v1/sessions', async ({ body }) => {
      const { job, recording, task, split, life_seconds: seconds } = checkedBody(sessionParams, body);
      await checkOwner(context, job, recording);
      const owner = { job: job ?? recording!, recording: job === undefined };
      const what = { ...owner, task: JSON.stringify(task), taskId: taskIdOf(task), split, lifeMs: seconds * 1000 };
      const { session, key } = await sessions.create(what);
      return { status: 201, json: { ...shown(session), key } };
    }),
    route('/v1/sessions/{id}/reward', async ({ params, body }) => {
      const { reward, success } = checkedBody(rewardParams, body);
      const value = reward ?? Number(success);
      const rewarded = await sessions.update(params['id']!, (session) => {
        if (session.reward?.value === value) return session;
        const until = (session.finishedAt ?? Infinity) + REWARD_WITHIN_MS;
        if (session.reward !== undefined)
          throw new MillraceError('already_exists', `The session has reward ${session.reward.value} already.`, {
            field: 'reward',
          });
        if (clock.now() > until)
          throw new MillraceError('failed_precondition', 'The session ended more than a day ago: no reward is taken any more.');
        return { ...session, reward: { value, at: clock.now() } };
      });
      // One that comes after the end makes the row anew.
      if (rewarded.finishedAt !== undefined) await record(context, rewarded);
      return { json: shown(rewarded) };
    }),
    route('/v1/sessions/{id}/finish', async ({ params }) => {
      const finished = await sessions.update(params['id']!, (session) =>
        session.finishedAt === undefined ? { ...session, finishedAt: clock.now() } : session,
      );
      await record(context, finished);
      return { json: shown(finished) };
    }),
  ];
}

/** Publishes the row. Again is the same message, or a row that takes the place of the one without a reward. */
async function record({ bus, id }: SessionRoutesContext, session: SessionRecord): Promise<void> {
  const message = `session:${session.id}:${session.reward === undefined ? 'finished' : 'rewarded'}`;
  await bus.publish(scoredSubject(session.job, 'rows'), finishedGroup(session, id), { id: message });
}

/** Refuses a job that there is not, and a recording by the name of a job. */
async function checkOwner({ jobs }: SessionRoutesContext, job: string | undefined, recording: string | undefined): Promise<void> {
  const found = await jobs.find(job ?? recording!);
  if (job !== undefined && found === undefined)
    throw new MillraceError('not_found', `There is no job ${job}; give "recording" to record calls without one.`, {
      field: 'job',
    });
  if (recording !== undefined && found !== undefined)
    throw new MillraceError('invalid_argument', `${recording} is a job: name it as "job", or choose another name.`, {
      field: 'recording',
    });
}

/** A session as clients see it. */
function shown({ id, job, recording, trajectory, split, expiresAt, finishedAt, reward }: SessionRecord): Record<string, unknown> {
  return {
    id,
    ...(recording ? { recording: job } : { job }),
    trajectory,
    split,
    expires_at: new Date(expiresAt).toISOString(),
    ...(reward && { reward: reward.value }),
    ...(finishedAt !== undefined && { finished_at: new Date(finishedAt).toISOString() }),
  };
}
