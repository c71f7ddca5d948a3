import { formatDollars } from '../../src/budget/money.ts';
import type { OpenModels } from '../../src/config/models/open-models.ts';
import { MillraceError } from '../../src/errors.ts';

/** What a call of a model came to. */
export interface CheckedModel {
  name: string;
  /** What is asked, in words: a provider, or a route. */
  what: string;
  ok: boolean;
  /** What was wrong. */
  problem?: string;
  latencyMs?: number;
  tokens?: number;
  microDollars?: number;
}

const REQUEST = { messages: [{ role: 'user' as const, content: 'Answer with the word: ready' }], maxTokens: 64 };

/** Asks each model a short question, all at the same time. */
export function checkModels(models: OpenModels, names: readonly string[], signal: AbortSignal): Promise<CheckedModel[]> {
  return Promise.all(
    names.map(async (name): Promise<CheckedModel> => {
      const config = models.configOf(name);
      const [first] = Object.keys(config);
      const what = 'provider' in config ? `${config.model} of ${config.provider}` : first!;
      try {
        const { latencyMs, usage, microDollars } = await models.model(name).generate(REQUEST, { signal });
        return {
          ...{ name, what, ok: true, latencyMs: Math.round(latencyMs) },
          ...(usage !== undefined && { tokens: usage.tokensIn + usage.tokensOut }),
          ...(microDollars !== undefined && { microDollars }),
        };
      } catch (thrown) {
        return { name, what, ok: false, problem: MillraceError.from(thrown).message };
      }
    }),
  );
}

/** Cells of a table: name, what, answer, time, tokens, cost. */
export function checkedCells({ name, what, ok, problem, latencyMs, tokens, microDollars }: CheckedModel): string[] {
  return [
    name,
    what,
    ok ? 'ok' : (problem ?? ''),
    latencyMs === undefined ? '' : `${latencyMs} ms`,
    tokens === undefined ? '' : String(tokens),
    microDollars === undefined ? '' : formatDollars(microDollars),
  ];
}
