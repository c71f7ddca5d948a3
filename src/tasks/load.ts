import { Activity } from '../clock/activity.ts';
import type { Clock } from '../clock/clock.ts';
import { Slices } from '../clock/slices.ts';
import { TimeLimit } from '../clock/time-limit.ts';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition, Json, Loaded } from '../flow/define.ts';
import { describe } from '../flow/failure.ts';
import { isRetryLater, retryOf } from '../flow/retry-later.ts';
import { copyAsJson, isWellFormed } from '../flow/json.ts';
import { checkTask } from '../flow/check-task.ts';
import { LoadLater } from './load-later.ts';
import { asLoader, reportProgress, type OnProgress } from './progress.ts';
import { MAX_TASKS } from './read.ts';

/** Largest task, in bytes of UTF-8: it travels whole in every request for a group. */
export const MAX_TASK_BYTES = 512 * 1024;

/** A task that satisfies its flow's schema. */
export interface LoadedTask {
  id: string;
  /** Tasks with the same key are on the same side of the held-out split. */
  key: string;
  /** What travels, and is checked again where it arrives: the task as it was read, before the schema changed anything. */
  json: string;
  /** Where it came from, for messages. */
  origin: string;
}

/** What a flow's source gave. */
export interface LoadedTasks {
  tasks: LoadedTask[];
  context: unknown;
}

/** Where tasks are to come from. */
export interface LoadTasksOptions {
  /** Folder or file, absolute; undefined for the flow's own source. */
  data?: string | undefined;
  /** `source:` of the job. */
  options?: Readonly<Record<string, Json>>;
  seed?: number;
  /** Default 300_000. */
  timeoutMs?: number;
  /** Hears how far it has come, a few times a second. */
  onProgress?: OnProgress | undefined;
  clock: Clock;
}

/** Wrong tasks named in one error; more are counted. */
const PROBLEMS_SHOWN = 5;

/**
 * Reads a flow's tasks and checks every one: that JSON holds it as it is ({@link copyAsJson}), its size (at most
 * {@link MAX_TASK_BYTES}), the schema of what came back, its id (unique, 1 to 200 characters of well-formed Unicode without control
 * characters), split key and type. `invalid_argument` with file or origin, index, id, field and allowed values when something is wrong.
 * {@link LoadLater} when the flow's `load` throws RetryLater.
 * The event loop gets its turns meanwhile, except while the flow's own code runs.
 */
export async function loadTasks<T, M>(flow: FlowDefinition<T, M>, options: LoadTasksOptions): Promise<LoadedTasks> {
  return asLoading(options, async () => checkTasks(flow, options, await callLoad(flow, options)));
}

/** What a flow's source gives besides the tasks, for processes that are given their tasks one by one: nothing is checked twice. */
export async function loadContext<T, M>(flow: FlowDefinition<T, M>, options: LoadTasksOptions): Promise<unknown> {
  return (await asLoading(options, () => callLoad(flow, options))).context;
}

function asLoading<R>({ clock, onProgress }: LoadTasksOptions, work: () => Promise<R>): Promise<R> {
  return asLoader({ clock, onProgress }, work);
}

async function checkTasks<T, M>(flow: FlowDefinition<T, M>, options: LoadTasksOptions, loaded: Loaded<T>): Promise<LoadedTasks> {
  const { length } = loaded.tasks;
  if (length > MAX_TASKS)
    throw new MillraceError(
      'invalid_argument',
      `flow '${flow.name}' loaded ${count(length)} tasks, and a job has at most ${count(MAX_TASKS)}; take a sample of them`,
      { field: 'data' },
    );
  const slices = new Slices(options.clock);
  const tasks: LoadedTask[] = [];
  const problems: { text: string; field: string }[] = [];
  const ids = new Map<string, string>();
  const check = (raw: unknown, index: number): void => {
    const origin = loaded.origins?.[index] ?? `task ${index}`;
    const where = loaded.origins?.[index] === undefined ? origin : `${origin} (task ${index})`;
    const report = (text: string, field: string): void => {
      problems.push({ text: `${where}: ${text}`, field: `tasks[${index}]${field === '' ? '' : `.${field}`}` });
    };
    const copy = copyAsJson(raw);
    if ('problem' in copy) return report(`${named(flow, raw)}${copy.path}: ${copy.problem}`, fieldOf(copy.path));
    const bytes = Buffer.byteLength(copy.json);
    if (bytes > MAX_TASK_BYTES) return report(`${named(flow, copy.value)}${tooLarge(bytes)}`, '');
    const checked = checkTask(flow, copy.value);
    if ('problem' in checked) return report(checked.problem, checked.field);
    const id = identify(flow, checked.task, 'id');
    if ('problem' in id) return report(id.problem, 'id');
    const key = flow.splitKey === undefined ? id : identify(flow, checked.task, 'splitKey');
    if ('problem' in key) return report(key.problem, '');
    const type = flow.type === undefined ? id : identify(flow, checked.task, 'type');
    if ('problem' in type) return report(type.problem, '');
    const first = ids.get(id.value);
    if (first !== undefined) return report(`id '${id.value}' is already the id of ${first}; ids must be unique`, 'id');
    ids.set(id.value, origin);
    tasks.push({ id: id.value, key: key.value, json: copy.json, origin });
  };
  for (let index = 0; index < length; index++) {
    check(loaded.tasks[index], index);
    if (!slices.due) continue;
    reportProgress({ stage: 'check', done: index + 1, total: length });
    await slices.turn();
  }
  if (problems.length > 0) {
    const more = problems.length - PROBLEMS_SHOWN;
    const lines = problems.slice(0, PROBLEMS_SHOWN).map(({ text }) => text);
    throw new MillraceError(
      'invalid_argument',
      `${problems.length} of ${loaded.tasks.length} tasks of flow '${flow.name}' are wrong:\n  ${lines.join('\n  ')}${more > 0 ? `\n  and ${more} more` : ''}`,
      { field: problems[0]!.field },
    );
  }
  if (tasks.length === 0)
    throw new MillraceError('invalid_argument', `flow '${flow.name}' loaded no tasks from ${options.data ?? 'its own source'}`, {
      field: 'data',
    });
  return { tasks, context: loaded.context };
}

async function callLoad<T, M>(flow: FlowDefinition<T, M>, options: LoadTasksOptions): Promise<Loaded<T>> {
  const { data, options: own = {}, seed = 1, timeoutMs = 300_000, clock } = options;
  const activity = new Activity(clock);
  const limit = new TimeLimit(timeoutMs, { clock, activity });
  const ended = await limit.of((async () => activity.run(() => flow.load({ data, options: own, seed }), true))());
  if (typeof ended === 'string')
    throw new MillraceError('deadline_exceeded', `load of flow '${flow.name}' took longer than ${timeoutMs} ms`);
  if ('thrown' in ended) {
    const { thrown } = ended;
    if (isRetryLater(thrown)) throw new LoadLater(retryOf(thrown, `load of flow '${flow.name}'`), thrown);
    if (thrown instanceof Error && thrown.name === 'MillraceError') throw thrown;
    throw new MillraceError('invalid_argument', `load of flow '${flow.name}': ${describe(thrown)}`, {
      cause: thrown,
      field: 'data',
    });
  }
  const loaded: unknown = ended.result;
  const { tasks, origins } = (loaded ?? {}) as Partial<Loaded<T>>;
  if (!Array.isArray(tasks))
    throw new MillraceError('invalid_argument', `load of flow '${flow.name}' must return { tasks: [...] }`, { field: 'load' });
  if (origins !== undefined && (!Array.isArray(origins) || origins.length !== tasks.length))
    throw new MillraceError(
      'invalid_argument',
      `load of flow '${flow.name}' returned ${String((origins as { length?: unknown }).length)} origins for ${tasks.length} tasks; give one for each or none`,
      { field: 'load' },
    );
  return loaded as Loaded<T>;
}

/** The task's id, split key or type; a number is as good as its text. */
function identify<T>(
  flow: FlowDefinition<T, any>,
  task: T,
  what: 'id' | 'splitKey' | 'type',
): { value: string } | { problem: string } {
  let value: unknown;
  try {
    value = what in flow && flow[what] !== undefined ? flow[what](task) : (task as { id?: unknown } | null | undefined)?.id;
  } catch (thrown) {
    return { problem: `${what} of the flow: ${describe(thrown)}` };
  }
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
    return { problem: `${what} ${value} is a number beyond 2^53, whose last digits may be lost; write it as a text` };
  if (typeof value === 'number' && Number.isFinite(value)) value = String(value);
  if (typeof value !== 'string')
    return {
      problem:
        what === 'id' && flow.id === undefined
          ? 'the task has no id; give it one or define `id` in the flow'
          : `${what} of the flow must return a text`,
    };
  // Ids travel in message headers.
  if (value === '' || value.length > 200 || /\p{Cc}/u.test(value))
    return {
      problem: `${what} ${JSON.stringify(value.slice(0, 40))} must have 1 to 200 characters, none of them control characters`,
    };
  if (!isWellFormed(value))
    return {
      problem: `${what} ${JSON.stringify(value)} must be well-formed Unicode: it is cut inside a character such as an emoji`,
    };
  return { value };
}

/** How a task that cannot travel is called: by its id where it has one. */
function named<T>(flow: FlowDefinition<T, any>, raw: unknown): string {
  const id = identify(flow, raw as T, 'id');
  return 'value' in id ? `id '${id.value}': ` : '';
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}

function fieldOf(path: string): string {
  return path.replace(/^\$\.?/, '');
}

function tooLarge(bytes: number): string {
  const [has, most] = [bytes, MAX_TASK_BYTES].map(count);
  return `it is ${has} bytes of JSON, and a task is at most ${most}; keep large data in the flow's context and refer to it`;
}
