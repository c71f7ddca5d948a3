import { MillraceError } from '../../../src/errors.ts';
import { ExportFormat, type Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { Purpose } from '../../../src/gen/millrace/v1/training_pb.ts';
import type { Coordinator } from './coordinator.ts';
import { checked, exportParams, fieldInRpc, jobParams, SETTINGS, startParams } from './params.ts';
import type { MethodContext, RpcMethod } from './route.ts';
import { evaluate } from './evaluate.ts';
import { statusOf, STATUS_FIELDS } from './status.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A coordinator loads the agent's flow and checks the data first; the gateway answers within its own limit. */
const CREATE_MS = 55_000;

/** The methods `training.*`. */
export function trainingMethods(coordinator: Coordinator): Readonly<Record<string, RpcMethod>> {
  return {
    'training.start_grpo': (params, options) => start(coordinator, params, options),
    async 'training.get_status'(params, options) {
      const { job_id: jobId } = checked(jobParams, params);
      const readMask = { paths: STATUS_FIELDS };
      const { job } = await coordinator.call((admin) => admin.getJob({ jobId, readMask }, options));
      return statusOf(job!);
    },
    'training.evaluate': (params, options) => evaluate(coordinator, params, options),
    'training.export_trajectories': (params, options) => exported(coordinator, params, options),
    'training.cancel': change(coordinator, 'cancelJob'),
    'training.pause': change(coordinator, 'pauseJob'),
    'training.resume': change(coordinator, 'resumeJob'),
  };
}

function change(coordinator: Coordinator, method: 'cancelJob' | 'pauseJob' | 'resumeJob'): RpcMethod {
  return async (params, options) => {
    const { job_id: jobId } = checked(jobParams, params);
    const { job } = await coordinator.call<{ job?: Job | undefined }>((admin) => admin[method]({ jobId }, options));
    return statusOf(job!);
  };
}

async function start(coordinator: Coordinator, params: unknown, options: MethodContext): Promise<object> {
  const {
    agent_id: agent,
    training_data: data,
    config,
    name = agent,
    owner,
    priority,
    request_id: requestId,
  } = checked(startParams, params);
  const { job: more = {}, ...named } = config;
  const settings: { [key: string]: Json } = structuredClone({ algorithm: { name: 'grpo' }, ...more, name });
  for (const [key, value] of Object.entries(named))
    for (const path of SETTINGS[key as keyof typeof SETTINGS]) setAt(settings, path.split('.'), value);
  const trainingData = data.map((one) => ({ query: one.query, expectedOutcomeJson: JSON.stringify(one.expected_outcome) }));
  const request = { agent, trainingData, configJson: JSON.stringify(settings) };
  const optional = {
    ...(owner !== undefined && { owner }),
    ...(priority !== undefined && { priority }),
    ...(requestId !== undefined && { requestId }),
  };
  try {
    const { job } = await coordinator.call((admin) =>
      admin.createJob({ ...request, ...optional }, { ...options, timeoutMs: CREATE_MS }),
    );
    return { training_job_id: job!.id };
  } catch (thrown) {
    throw inRpcWords(MillraceError.from(thrown));
  }
}

/** The caller wrote other names than the configuration has. */
function inRpcWords(error: MillraceError): MillraceError {
  const { code, message, retryable, reason, field } = error;
  if (field === undefined) return error;
  const named = field === 'agent' ? 'agent_id' : fieldInRpc(field);
  return new MillraceError(code, message, { cause: error, retryable, reason, field: named });
}

function setAt(settings: { [key: string]: Json }, [first, ...rest]: string[], value: Json): void {
  if (rest.length === 0) return void (settings[first!] = value);
  const inside = settings[first!];
  const isObject = typeof inside === 'object' && inside !== null && !Array.isArray(inside);
  const next: { [key: string]: Json } = isObject ? inside : {};
  settings[first!] = next;
  setAt(next, rest, value);
}

/** Whole chunks until there are about as many as were asked for: a cursor is that of a chunk. */
async function exported(coordinator: Coordinator, params: unknown, options: MethodContext): Promise<object> {
  const { job_id: job, purpose, success, limit, cursor: from } = checked(exportParams, params);
  const purposes = { train: Purpose.TRAIN, evaluate: Purpose.EVALUATE };
  const filter = {
    job,
    ...(purpose !== undefined && { purpose: purposes[purpose] }),
    ...(success !== undefined && { success }),
  };
  return coordinator.call(async (admin) => {
    const trajectories: unknown[] = [];
    let text = '';
    let cursor: string | null = from;
    const request = { format: ExportFormat.JSONL, filter, cursor: from, chunkBytes: 65_536 };
    for await (const chunk of admin.exportTrajectories(request, options)) {
      text += Buffer.from(chunk.data).toString();
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) if (line !== '') trajectories.push(JSON.parse(line));
      cursor = chunk.cursor;
      if (trajectories.length >= limit && text === '') return { job_id: job, trajectories, cursor };
    }
    return { job_id: job, trajectories, cursor: null };
  });
}
