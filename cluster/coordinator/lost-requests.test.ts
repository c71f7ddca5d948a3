import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { RolloutRequestSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { evaluationPlan } from '../../src/jobs/evaluation/plans.ts';
import { evaluationRequest } from '../../src/jobs/requests.ts';
import { ROLLOUT_WORK } from '../../src/protocol/durables.ts';
import { rolloutSubject } from '../../src/protocol/subjects.ts';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { coordinatedJob } from './job.fixture.ts';
import { endLostRequests } from './lost-requests.ts';

it('asks for each task of a request alone that was given up, so that one of them cannot make the others fail', async () => {
  const folder = await temporaryFolder();
  const { nodes, run, context, job, release } = await coordinatedJob(folder.path);
  const tasks = ['t0', 't1', 't2'].map((id) => ({ id, json: `{"id":"${id}"}` }));
  const of = { job: 'a', config: job.record.config };
  const request = evaluationRequest(of, evaluationPlan('trained', 2), { index: 0, tasks, now: 0 });
  await run(context.bus.publish(rolloutSubject('a'), toBinary(RolloutRequestSchema, request), { id: request.id }));
  const stop = await run(endLostRequests(context));
  const taken: string[] = [];
  const worker = await run(
    context.bus.consume(ROLLOUT_WORK, async (message) => {
      const { id, taskId, tasks: several } = fromBinary(RolloutRequestSchema, message.data);
      if (several.length > 0) return message.term('it takes the worker down');
      taken.push(`${id} ${taskId}`);
      await message.ack();
    }),
  );
  await run(nodes.clock.sleep(5_000));
  expect(taken.sort()).toEqual(['t0', 't1', 't2'].map((id) => `a:trained@2:${id}:0 ${id}`));
  await run(worker.stop());
  await run(stop());
  await release();
  await folder.remove();
});
