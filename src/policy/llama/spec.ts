import type { AdapterShape } from '../../base-model/adapter/shape.ts';
import type { ModelConfig } from '../../base-model/config.ts';
import { trainedTensors, sizeOf, type Training } from '../../base-model/training/trained.ts';
import type { PolicySpec, SpecDifference } from '../kind.ts';
import type { TensorPlace } from '../policy.ts';
import type { BaseSource } from './settings.ts';

/** A language model as a policy. */
export interface LlamaSpec extends PolicySpec {
  readonly kind: 'llama';
  /** The first or frozen weights: where they were, what they are, and their shape; of a new model what it is made of. */
  readonly base: BaseSource & { digest: string; config: ModelConfig };
  readonly train: Training;
  /** Digest of the adapter that training starts from, if not from one that changes nothing. */
  readonly start?: string;
  /** Names of the flow's tools. */
  readonly tools: readonly string[];
  readonly maxTokens: number;
  readonly microBatchTokens: number;
  /** What is written does not depend on what else is computed, to the bit. */
  readonly deterministic: boolean;
  /** Seed of the first weights. */
  readonly seed: number;
  /** The last parameters are a head for values of situations. */
  readonly value?: true;
}

/** Forms that weights are exported in: the adapter as PEFT has it, or the whole model with what was trained in it. */
export const LLAMA_EXPORTS = ['peft', 'safetensors'];

/** Names of the head for values; not part of the model. */
const VALUE = { weight: 'value.weight', bias: 'value.bias' };

/** All trained tensors and their places: those of the model, then the head for values. */
export function llamaLayout({ base: { config }, train, value }: LlamaSpec): TensorPlace[] {
  const head = [
    { name: VALUE.weight, shape: [config.width] },
    { name: VALUE.bias, shape: [1] },
  ];
  let offset = 0;
  return [...trainedTensors(config, train), ...(value ? head : [])].map(({ name, shape }) => {
    const size = sizeOf(shape);
    return { name, shape, offset: (offset += size) - size, size };
  });
}

/** Where the path of the base is, and how weights were drawn, says nothing about whether they fit. */
const FIELDS: readonly [string, (spec: LlamaSpec) => unknown][] = [
  ['tools', ({ tools }) => tools.join(', ')],
  ['base', ({ base }) => base.digest],
  ['train', ({ train }) => (train === 'all' ? 'all' : 'adapter')],
  ['adapter.rank', ({ train }) => of(train)?.rank],
  ['adapter.alpha', ({ train }) => of(train)?.alpha],
  ['adapter.targets', ({ train }) => of(train)?.targets.join(', ')],
  ['value', ({ value }) => value ?? false],
];

const of = (train: Training): AdapterShape | undefined => (train === 'all' ? undefined : train);

/** The first field in which the specifications differ; undefined when weights of one can be used in the other. */
export function llamaDifference(first: LlamaSpec, second: LlamaSpec): SpecDifference | undefined {
  for (const [field, valueOf] of FIELDS) {
    const [a, b] = [valueOf(first), valueOf(second)].map(String) as [string, string];
    if (a !== b) return { field, first: a, second: b };
  }
  return undefined;
}
