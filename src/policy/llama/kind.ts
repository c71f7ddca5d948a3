import { MillraceError } from '../../errors.ts';
import { initialAdapter } from '../../base-model/adapter/shape.ts';
import type { PolicyKind } from '../kind.ts';
import type { Parameters } from '../policy.ts';
import { parameterCount } from '../policy.ts';
import { startOf } from './files.ts';
import { baseSource, llamaSettings, type LlamaSettings } from './settings.ts';
import type { LlamaSituations } from './situations.ts';
import { LLAMA_EXPORTS, llamaDifference, llamaLayout, type LlamaSpec } from './spec.ts';

let sides: typeof import('./sides.ts') | undefined;

function loaded(): NonNullable<typeof sides> {
  if (sides !== undefined) return sides;
  throw new MillraceError('internal', 'the policy kind llama is not loaded: await load(spec) first');
}

/** A language model that writes what it does: text, and calls of tools in it. Trained is an adapter, or all of a small model. */
export const llamaKind = {
  name: 'llama',
  decides: 'generated',
  settings: llamaSettings,
  async resolve(settings) {
    const { readFiles } = await import('./read.ts');
    return { ...settings, read: await readFiles(settings) };
  },
  specification({ tools }, settings, { seed, value }): LlamaSpec {
    const { train, adapter, maxTokens, microBatchTokens, deterministic, read } = settings;
    if (read === undefined)
      throw new MillraceError('internal', 'the files of the base model were not read: await resolve() first');
    const { digest, config, start } = read;
    const { rank, alpha, targets } = adapter;
    return {
      kind: 'llama',
      base: { ...baseSource(settings), digest, config },
      train: train === 'all' ? 'all' : (start?.shape ?? { rank, alpha, targets }),
      ...(start && { start: start.digest }),
      ...{ tools: tools.map(({ name }) => name), maxTokens, microBatchTokens, deterministic, seed },
      ...(value && { value: true }),
    };
  },
  difference: llamaDifference,
  misfit: ({ tools }, spec) => llamaDifference({ ...spec, tools: tools.map(({ name }) => name) }, spec),
  layout: llamaLayout,
  initial(spec): Parameters {
    const { base, train, start, seed } = spec;
    const tensors = llamaLayout(spec);
    const values = new Float32Array(parameterCount(tensors));
    if (train === 'all') values.set(startOf(base.digest));
    else values.set(start === undefined ? initialAdapter(base.config, train, seed) : startOf(start));
    return { tensors, values };
  },
  async load(spec) {
    sides ??= await import('./sides.ts');
    if (spec !== undefined) await sides.loadBase(spec);
  },
  exports: LLAMA_EXPORTS,
  async export(spec, weights, options) {
    const { exportLlama } = await import('./export.ts');
    await exportLlama(spec, weights, options);
  },
  actor: (spec, flow) => new (loaded().LlamaActor)(spec, loaded().baseOf(spec), flow),
  learner: (spec) => new (loaded().LlamaLearner)(spec, loaded().baseOf(spec)),
} as const satisfies PolicyKind<LlamaSpec, LlamaSettings, LlamaSituations>;
