/** What an imported interaction says beyond the columns of the store. */
export interface Extra {
  /** What was asked. */
  input: string | null;
  response: string;
  /** Metadata that is no column. */
  extra: Readonly<Record<string, unknown>>;
}

const MARK = 'millrace:interaction';
const BEGINNING = `{"${MARK}":1,`;

/**
 * Column `answer` for an interaction: the response alone, or, where there is more that has no column, JSON that holds all of it
 * (`JSONExtractString(answer, 'input')`).
 */
export function closeEnvelope({ input, response, extra }: Extra): string {
  if (isPlain({ input, response, extra })) return response;
  return JSON.stringify({ [MARK]: 1, input, response, metadata: extra });
}

/** The opposite of {@link closeEnvelope}. */
export function openEnvelope(answer: string): Extra {
  const plain: Extra = { input: null, response: answer, extra: {} };
  if (!answer.startsWith(BEGINNING)) return plain;
  let read: { input?: unknown; response?: unknown; metadata?: unknown };
  try {
    read = JSON.parse(answer) as typeof read;
  } catch {
    return plain;
  }
  const { input, response, metadata } = read;
  if ((typeof input !== 'string' && input !== null) || typeof response !== 'string') return plain;
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return plain;
  const opened = { input, response, extra: metadata as Record<string, unknown> };
  return isPlain(opened) ? plain : opened;
}

/** Nothing that a plain answer could not say. */
const isPlain = ({ input, response, extra }: Extra): boolean =>
  input === null && Object.keys(extra).length === 0 && !response.startsWith(BEGINNING);
