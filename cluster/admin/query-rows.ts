import type { QueryResult } from '../../src/store/store.ts';

/** The fields of QueryResponse and of RunQueryResponse. */
export interface QueryMessage {
  columns: string[];
  types: string[];
  rowsJson: string[];
  truncated: boolean;
}

/** Characters of rows in one message, about; a longer row is alone in its message. */
const MESSAGE_CHARACTERS = 256 * 1024;

/** A query's result as the messages of a stream: column names in the first one, `truncated` in the last one. */
export function* queryMessages(result: QueryResult): Generator<QueryMessage> {
  let message: QueryMessage = {
    columns: result.columns.map(({ name }) => name),
    types: result.columns.map(({ type }) => type),
    rowsJson: [],
    truncated: false,
  };
  let characters = 0;
  for (const row of result.rows) {
    const json = JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
    if (characters > 0 && characters + json.length > MESSAGE_CHARACTERS) {
      yield message;
      message = { columns: [], types: [], rowsJson: [], truncated: false };
      characters = 0;
    }
    message.rowsJson.push(json);
    characters += json.length;
  }
  yield { ...message, truncated: result.truncated };
}

/** Puts the messages of a stream together again. */
export async function collectQuery(messages: AsyncIterable<QueryMessage>): Promise<QueryResult> {
  const result: QueryResult = { columns: [], rows: [], truncated: false };
  for await (const { columns, types, rowsJson, truncated } of messages) {
    if (columns.length > 0) result.columns = columns.map((name, i) => ({ name, type: types[i] ?? '' }));
    for (const row of rowsJson) result.rows.push(JSON.parse(row) as unknown[]);
    result.truncated = truncated;
  }
  return result;
}
