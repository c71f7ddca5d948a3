import { AsyncLocalStorage } from 'node:async_hooks';
import { MillraceError } from '../errors.ts';
import type { Model, ModelResult } from '../model/model.ts';
import { aroundCall } from '../model/wrap/around.ts';

/** Models by the names that flows and workflows call them by. */
export type Models = Readonly<Record<string, Model>>;

/** What the models of a run were used for. */
export interface ModelTotals {
  calls: number;
  tokensIn: number;
  tokensOut: number;
  /** Millionths of a US dollar, of calls whose price is known. */
  microDollars: number;
}

const current = new AsyncLocalStorage<Models>();

/**
 * The model of this name of the run that calls, for the code of tools and steps: `modelNamed('judge').generate(…)`.
 *
 * @throws MillraceError `failed_precondition` (field `models`) where the run has none of this name
 */
export function modelNamed(name: string): Model {
  return modelIn(current.getStore() ?? {}, name, 'code of this run');
}

/** Finds a model. @param who - who asks for it, for the error */
export function modelIn(models: Models, name: string, who: string): Model {
  const model = Object.hasOwn(models, name) ? models[name] : undefined;
  if (model !== undefined) return model;
  const names = Object.keys(models);
  const there = names.length === 0 ? 'none is given' : `given are ${names.join(', ')}`;
  throw new MillraceError('failed_precondition', `${who} asks for model '${name}', and ${there}: give it in models`, {
    field: 'models',
  });
}

/** Runs code with these models at hand; all their calls are counted. */
export async function withModels<R>(
  models: Models,
  run: (models: Models) => Promise<R>,
): Promise<{ result: R; totals: ModelTotals }> {
  const totals: ModelTotals = { calls: 0, tokensIn: 0, tokensOut: 0, microDollars: 0 };
  const counted: Record<string, Model> = {};
  // Each when it is asked for: one that nobody uses need not be reachable.
  for (const name of Object.keys(models))
    Object.defineProperty(counted, name, { enumerable: true, get: () => counting(models[name]!, totals) });
  const result = await current.run(counted, () => run(counted));
  return { result, totals };
}

function counting(model: Model, totals: ModelTotals): Model {
  return aroundCall(model, () => ({
    answered(result: ModelResult) {
      totals.calls += 1;
      totals.tokensIn += result.usage?.tokensIn ?? 0;
      totals.tokensOut += result.usage?.tokensOut ?? 0;
      totals.microDollars += result.microDollars ?? 0;
      return result;
    },
    failed: () => void (totals.calls += 1),
  }));
}
