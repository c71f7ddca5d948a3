import { MillraceError } from '../../src/errors.ts';
import type { FlowDefinition, Json, TrainingQuery } from '../../src/flow/define.ts';
import { describe } from '../../src/flow/failure.ts';

/** What a job trains on in place of the tasks of its flow's own data. */
export type Query = Omit<TrainingQuery, 'index'>;

/** Queries as the artifact that a job's record names. */
export function encodeQueries(queries: readonly Query[]): Uint8Array {
  return Buffer.from(JSON.stringify(queries.map(({ query, expected_outcome }) => [query, expected_outcome])));
}

/** Reads what {@link encodeQueries} wrote. */
export function decodeQueries(bytes: Uint8Array): Query[] {
  const rows = JSON.parse(Buffer.from(bytes).toString()) as [string, Json][];
  return rows.map(([query, expected_outcome]) => ({ query, expected_outcome }));
}

/**
 * The flow with the tasks that it makes of queries in place of its own; what else it loads stays. Loading fails with `failed_precondition` when the
 * flow has no `fromQuery`, and with `invalid_argument` and the field when that refuses some data.
 */
export function onQueries<M>(
  flow: FlowDefinition<unknown, M>,
  queries: () => Promise<readonly Query[]>,
): FlowDefinition<unknown, M> {
  return {
    ...flow,
    async load(source) {
      if (flow.fromQuery === undefined)
        throw new MillraceError(
          'failed_precondition',
          `flow '${flow.name}' cannot be trained on queries: give it fromQuery({ query, expected_outcome }), which makes a task of each.`,
          { field: 'training_data' },
        );
      const given = await queries();
      const tasks = given.map((one, index) => taskOf(flow, { ...one, index }));
      const { context } = await flow.load(source);
      return { tasks, origins: given.map((_, index) => `training_data[${index}]`), context };
    },
  };
}

function taskOf<M>(flow: FlowDefinition<unknown, M>, data: TrainingQuery): unknown {
  try {
    return flow.fromQuery!(data);
  } catch (cause) {
    const field = `training_data[${data.index}]`;
    throw new MillraceError('invalid_argument', `fromQuery of flow '${flow.name}': ${describe(cause)}`, { cause, field });
  }
}
