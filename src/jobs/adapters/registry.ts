import { z } from 'zod';
import { MillraceError } from '../../errors.ts';
import { POLICY_NAME } from '../experiments/experiment.ts';

/** Where a published policy stands. At most one of an agent is `live`. */
export const ADAPTER_STATUSES = ['candidate', 'live', 'retired'] as const;

export type AdapterStatus = (typeof ADAPTER_STATUSES)[number];

const time = z.int().min(0);
const metricsSchema = z.object({
  /** Flows that were judged. */
  tasks: z.int().min(0),
  /** Success rate, with its 95 % interval. */
  success: z.number(),
  low: z.number(),
  high: z.number(),
  meanReward: z.number(),
  meanSteps: z.number(),
});

/** What an evaluation of a policy came to. */
export type AdapterMetrics = z.infer<typeof metricsSchema>;

/** A published policy, as the record of its agent keeps it. Times are Unix milliseconds. */
export const adapterSchema = z.object({
  /** `<job>@<version>`, its name. */
  name: z.string().regex(POLICY_NAME),
  /** The job that trained it, and its version there. */
  job: z.string(),
  version: z.int().min(0),
  /** Digest of the manifest of its checkpoint, an artifact. */
  checkpoint: z.string().regex(/^[0-9a-f]{64}$/),
  /** Digest of the code and data that it was trained with and is served with; absent where jobs have none. */
  code: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** What its training started from or went on with: `<job>@<version>` or the folder of a checkpoint; empty: from its seed. */
  parent: z.string().default(''),
  owner: z.string(),
  status: z.enum(ADAPTER_STATUSES),
  /** By its job, on the validation tasks and on the test tasks; absent where it was not measured. */
  validation: metricsSchema.optional(),
  test: metricsSchema.optional(),
  publishedAt: time,
  updatedAt: time,
});

/** See {@link adapterSchema}. */
export type Adapter = z.infer<typeof adapterSchema>;

/** The published policies of an agent. */
export interface AdapterList {
  /** Oldest first. */
  adapters: readonly Adapter[];
  /** Names of those that were live before the present one, the newest last. */
  history: readonly string[];
  /** Id of the experiment that has the agent's tasks; empty when none does. */
  experiment: string;
}

/** Policies that an agent has at most: older retired ones make room. */
export const MOST_ADAPTERS = 200;
/** Names that are kept of what was live. */
const MOST_HISTORY = 20;

/** What is served; undefined when nothing is. */
export function liveAdapter({ adapters }: Pick<AdapterList, 'adapters'>): Adapter | undefined {
  return adapters.find(({ status }) => status === 'live');
}

/** @throws MillraceError `not_found` (field `version`) when it was not published */
export function adapterNamed({ adapters }: Pick<AdapterList, 'adapters'>, agent: string, name: string): Adapter {
  const found = adapters.find((adapter) => adapter.name === name);
  if (found !== undefined) return found;
  const message = `Agent "${agent}" has no published policy "${name}"; \`millrace adapter publish ${agent} ${name}\` publishes it, \`millrace adapter list ${agent}\` shows them.`;
  throw new MillraceError('not_found', message, { field: 'version' });
}

/**
 * The list with a policy that was published. The first one of an agent is live at once, unless told otherwise. One that is there keeps its
 * status and gets the newest figures.
 *
 * @param live - makes it live
 */
export function withAdapter<L extends AdapterList>(list: L, adapter: Omit<Adapter, 'status'>, live: boolean): L {
  const before = list.adapters.find(({ name }) => name === adapter.name);
  const { status = 'candidate', publishedAt = adapter.publishedAt } = before ?? {};
  const entry: Adapter = { ...adapter, status, publishedAt };
  const adapters = before ? list.adapters.map((other) => (other === before ? entry : other)) : [...withRoom(list), entry];
  const next = { ...list, adapters };
  return live ? promoted(next, adapter.name, adapter.updatedAt) : next;
}

function withRoom({ adapters, history }: AdapterList): readonly Adapter[] {
  if (adapters.length < MOST_ADAPTERS) return adapters;
  const oldest = adapters.find(({ status, name }) => status === 'retired' && !history.includes(name));
  if (oldest !== undefined) return adapters.filter((adapter) => adapter !== oldest);
  throw new MillraceError('resource_exhausted', `the agent has ${adapters.length} published policies, and none is retired`, {
    field: 'agent',
    retryable: false,
  });
}

/** The list with this policy live, and the one before retired. The same list when it is live already. */
export function promoted<L extends AdapterList>(list: L, name: string, now: number): L {
  const before = liveAdapter(list);
  if (before?.name === name) return list;
  const history = before === undefined ? list.history : [...list.history.filter((one) => one !== name), before.name];
  return {
    ...withStatus(withStatus(list, before?.name, 'retired', now), name, 'live', now),
    history: history.slice(-MOST_HISTORY),
  };
}

/** The list with this policy retired. The live one cannot be: something has to take its place. */
export function retired<L extends AdapterList>(list: L, name: string, now: number): L {
  return withStatus(list, name, 'retired', now);
}

/**
 * The list with the policy live that was so before the present one.
 *
 * @param from - the one that is rolled back; where it is not live (any more), the list stays the same, so that a repeated request does nothing
 * @throws MillraceError `failed_precondition` when nothing was live before
 */
export function rolledBack<L extends AdapterList>(
  list: L,
  { agent, from, now }: { agent: string; from: string; now: number },
): L {
  if (adapterNamed(list, agent, from).status !== 'live') return list;
  const name = list.history.at(-1);
  if (name === undefined)
    throw new MillraceError(
      'failed_precondition',
      `No policy of agent "${agent}" was live before "${from}"; promote another one.`,
      {
        field: 'agent',
      },
    );
  const next = withStatus(withStatus(list, from, 'retired', now), name, 'live', now);
  return { ...next, history: list.history.slice(0, -1) };
}

function withStatus<L extends AdapterList>(list: L, name: string | undefined, status: AdapterStatus, now: number): L {
  const adapters = list.adapters.map((adapter) =>
    adapter.name === name && adapter.status !== status ? { ...adapter, status, updatedAt: Math.round(now) } : adapter,
  );
  return { ...list, adapters };
}
