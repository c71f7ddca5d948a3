import type { MessageInitShape } from '@bufbuild/protobuf';
import { MillraceError } from '../../../src/errors.ts';
import {
  ExperimentChoice,
  type CreateExperimentRequest,
  type DecideExperimentRequest,
  type ExperimentSchema,
  type GetExperimentRequest,
  type ListExperimentsRequest,
  type StopExperimentRequest,
} from '../../../src/gen/millrace/v1/adapters_pb.ts';
import {
  decided,
  newExperiment,
  type Decision,
  type Experiment,
  type NewExperiment,
} from '../../../src/jobs/experiments/experiment.ts';
import { adapterNamed } from '../../../src/jobs/adapters/registry.ts';
import { randomId } from '../../../src/random/id.ts';
import type { AgentRecord } from '../../jobs/agents.ts';
import { sha256 } from '../../../src/artifacts/digest.ts';
import { checkAgentName, checkOwner, checkRequestId, usedRequestId } from '../validation.ts';
import { checkExperimentId, checkReason, experimentRule } from './checks.ts';
import type { ServingContext } from './context.ts';
import { liveOf } from './live.ts';
import { experimentMessage } from './messages.ts';

type Answer = Promise<{ experiment: MessageInitShape<typeof ExperimentSchema> }>;

/** The part of the admin API about experiments. */
export interface ExperimentsApi {
  create(request: CreateExperimentRequest): Answer;
  get(request: GetExperimentRequest): Answer;
  list(request: ListExperimentsRequest): Promise<{ experiments: Awaited<Answer>['experiment'][] }>;
  decide(request: DecideExperimentRequest): Answer;
  stop(request: StopExperimentRequest): Answer;
}

/** Experiments over the bus; any coordinator answers. */
export function experimentsApi(context: ServingContext): ExperimentsApi {
  const { experiments, clock, keeper } = context;
  const end = async (id: string, change: (experiment: Experiment) => Experiment): Answer => {
    await experiments.update(id, change);
    await keeper.settle(id);
    return { experiment: experimentMessage(await experiments.get(id)) };
  };
  const byPerson = (kind: Decision['kind'], reason: string): Parameters<typeof decided>[1] => ({
    ...{ kind, by: 'person', reason, at: Math.round(clock.now()) },
  });
  return {
    create: async (request) => ({ experiment: experimentMessage(await createExperiment(context, request)) }),
    get: async ({ id }) => ({ experiment: experimentMessage(await experiments.get(checkExperimentId(id))) }),
    async list({ agent }) {
      const name = agent === '' ? undefined : checkAgentName(agent, 'agent');
      const found = (await experiments.list()).filter((experiment) => name === undefined || experiment.agent === name);
      return { experiments: found.sort((a, b) => b.createdAt - a.createdAt).map(experimentMessage) };
    },
    async decide({ id, choice, reason }) {
      const kind = choiceOf(choice);
      const why = checkReason(reason);
      return end(checkExperimentId(id), (newest) => {
        if (newest.state === 'RUNNING') return decided(newest, byPerson(kind, why));
        if (newest.decision?.kind === kind) return newest;
        throw new MillraceError('failed_precondition', `Experiment "${id}" has ended: ${newest.state}.`, { field: 'id' });
      });
    },
    async stop({ id, reason }) {
      const why = checkReason(reason);
      return end(checkExperimentId(id), (newest) =>
        newest.state === 'RUNNING' ? decided(newest, byPerson('stop', why)) : newest,
      );
    },
  };
}

function choiceOf(choice: ExperimentChoice): 'promote' | 'rollback' {
  if (choice === ExperimentChoice.PROMOTE) return 'promote';
  if (choice === ExperimentChoice.ROLL_BACK) return 'rollback';
  throw new MillraceError('invalid_argument', 'is missing; use EXPERIMENT_CHOICE_PROMOTE or EXPERIMENT_CHOICE_ROLL_BACK.', {
    field: 'choice',
  });
}

async function createExperiment(context: ServingContext, request: CreateExperimentRequest): Promise<Experiment> {
  const { agents, experiments, clock, random } = context;
  const name = checkAgentName(request.agent, 'agent');
  const rule = experimentRule(request);
  const owner = checkOwner(request.owner);
  const requestId = checkRequestId(request.requestId);
  const id = request.id === '' ? idOf(name, requestId ?? randomId(random)) : checkExperimentId(request.id);
  const digest = sha256(JSON.stringify([id, name, request.candidate, rule, owner]));
  const earlier = requestId === undefined ? undefined : await experiments.find(id);
  if (earlier?.request !== undefined && earlier.request.id === requestId) {
    if (earlier.request.digest !== digest) throw usedRequestId(`experiment "${id}"`);
    if (earlier.state === 'RUNNING') await take(context, await agents.get(name), earlier);
    return earlier;
  }
  const agent = await agents.get(name);
  const champion = liveOf(agent).name;
  const candidate = adapterNamed(agent, name, request.candidate).name;
  await checkFree(context, agent, id);
  const given: NewExperiment = { id, agent: name, champion, candidate, ...rule, owner };
  const created = newExperiment(
    { ...given, ...(requestId !== undefined && { request: { id: requestId, digest } }) },
    clock.now(),
  );
  await experiments.create(created);
  try {
    await take(context, agent, created);
  } catch (thrown) {
    await experiments.remove(id);
    throw thrown;
  }
  return created;
}

/** An experiment that came without an id: it follows from the request, so that the request creates one wherever it arrives. */
function idOf(agent: string, requestId: string): string {
  return `${agent.slice(0, 28)}-${sha256(requestId).slice(0, 10)}`;
}

/** `failed_precondition` when another experiment has the agent's tasks; one that has ended gives them back first. */
async function checkFree({ experiments, keeper }: ServingContext, { name, experiment }: AgentRecord, id: string): Promise<void> {
  if (experiment === '' || experiment === id) return;
  const other = await experiments.find(experiment);
  if (other === undefined || other.state !== 'RUNNING') return keeper.settle(experiment);
  const message = `Experiment "${experiment}" has the tasks of agent "${name}"; end it first.`;
  throw new MillraceError('failed_precondition', message, { field: 'agent' });
}

/** Gives an experiment the tasks of its agent. */
async function take(
  { agents, experiments }: ServingContext,
  before: AgentRecord,
  { id, champion, candidate }: Experiment,
): Promise<void> {
  const lost = before.experiment !== '' && (await experiments.find(before.experiment)) === undefined;
  await agents.update(before.name, (newest) => {
    if (newest.experiment === id) return newest;
    const isFree = newest.experiment === '' || (lost && newest.experiment === before.experiment);
    if (!isFree || newest.servedVersion !== champion)
      throw new MillraceError('aborted', `Agent "${newest.name}" was changed meanwhile; try again.`, { field: 'agent' });
    // A retired one may be tried again.
    const adapters = newest.adapters.map((one) => {
      return one.name === candidate && one.status === 'retired' ? { ...one, status: 'candidate' as const } : one;
    });
    return { ...newest, adapters, experiment: id };
  });
}
