import { z } from 'zod';
import { MillraceError } from '../errors.ts';

/** What is known of one tool in one state bucket. All counts are discounted. */
export interface Arm {
  /** Outcomes of the trajectories that used the tool there: successes, each in 0 to 1 ... */
  good: number;
  /** ... and what they lack of 1. */
  bad: number;
  /** Steps. */
  visits: number;
  /** SARSA value: discounted reward to come. */
  value: number;
}

/** Outcomes of one task's trajectories, discounted. */
export interface TaskRecord {
  good: number;
  bad: number;
}

/**
 * What exploration knows at a policy version. It is made by the parameter server from the committed rounds alone
 * ({@link file://./observe.ts}) and never changed: whoever has the version has the same state.
 */
export interface ExplorationState {
  /** Policy version it belongs to. */
  readonly version: number;
  /** What schedule `entropy` multiplies rollout.temperature by. */
  readonly temperature: number;
  /** By state bucket, then by tool index. */
  readonly arms: ReadonlyMap<number, ReadonlyMap<number, Arm>>;
  /** By task id. */
  readonly tasks: ReadonlyMap<string, TaskRecord>;
}

/** Before the first round. */
export function emptyState(): ExplorationState {
  return { version: 0, temperature: 1, arms: new Map(), tasks: new Map() };
}

const count = z.number().min(0);

const FORMAT = 1;
const stored = z.object({
  format: z.literal(FORMAT),
  version: z.int().min(0),
  temperature: z.number().positive(),
  /** bucket, tool, good, bad, visits, value */
  arms: z.array(z.tuple([z.int().min(0), z.int().min(0), count, count, count, z.number()])),
  /** id, good, bad */
  tasks: z.array(z.tuple([z.string(), count, count])),
});

/** Arms in the order of bucket and tool: a state that was read back lists as the one that was written. */
export function armsOf(state: ExplorationState): { bucket: number; tool: number; arm: Arm }[] {
  const arms = [...state.arms].flatMap(([bucket, tools]) => [...tools].map(([tool, arm]) => ({ bucket, tool, arm })));
  return arms.sort((a, b) => a.bucket - b.bucket || a.tool - b.tool);
}

/** Tasks in the order of their ids. */
export function tasksOf(state: ExplorationState): { id: string; record: TaskRecord }[] {
  return [...state.tasks].map(([id, record]) => ({ id, record })).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

/** As UTF-8 JSON. Equal states give equal bytes. */
export function encodeState(state: ExplorationState): Uint8Array {
  const arms = armsOf(state).map(({ bucket, tool, arm: { good, bad, visits, value } }) => [
    bucket,
    tool,
    good,
    bad,
    visits,
    value,
  ]);
  const tasks = tasksOf(state).map(({ id, record: { good, bad } }) => [id, good, bad]);
  const { version, temperature } = state;
  return new TextEncoder().encode(JSON.stringify({ format: FORMAT, version, temperature, arms, tasks }));
}

/** Reads what {@link encodeState} wrote; no bytes are the empty state. `data_loss` when they are damaged, `failed_precondition` when a newer version wrote them. */
export function decodeState(bytes: Uint8Array | undefined): ExplorationState {
  if (bytes === undefined || bytes.length === 0) return emptyState();
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MillraceError('data_loss', 'the exploration state is not JSON; go on from an older version', { cause });
  }
  const { format } = (json ?? {}) as { format?: unknown };
  if (typeof format === 'number' && format > FORMAT) {
    throw new MillraceError(
      'failed_precondition',
      `a newer version of Millrace wrote the exploration state (format ${format}; this version reads ${FORMAT}): upgrade`,
      { field: 'format' },
    );
  }
  const parsed = stored.safeParse(json);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') ?? '';
    throw new MillraceError('data_loss', `the exploration state is damaged at "${field}"; go on from an older version`, {
      field,
    });
  }
  const { version, temperature, arms, tasks } = parsed.data;
  const byBucket = new Map<number, Map<number, Arm>>();
  for (const [bucket, tool, good, bad, visits, value] of arms) {
    const tools = byBucket.get(bucket) ?? new Map<number, Arm>();
    byBucket.set(bucket, tools.set(tool, { good, bad, visits, value }));
  }
  return { version, temperature, arms: byBucket, tasks: new Map(tasks.map(([id, good, bad]) => [id, { good, bad }])) };
}
