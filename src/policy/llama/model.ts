import { MillraceError } from '../../errors.ts';
import { adapterModel, wholeModel, type TrainableModel } from '../../base-model/training/trainable.ts';
import { trainedSize } from '../../base-model/training/trained.ts';
import type { ValueHead } from '../../base-model/training/value.ts';
import { parameterCount } from '../policy.ts';
import type { LoadedBase } from './base.ts';
import { llamaLayout, type LlamaSpec } from './spec.ts';

/** A language model whose trained numbers can be replaced. */
export class LlamaModel {
  readonly size: number;
  readonly #spec: LlamaSpec;
  readonly #base: LoadedBase;
  #model: TrainableModel | undefined;
  #value: ValueHead | undefined;

  constructor(spec: LlamaSpec, base: LoadedBase) {
    this.#spec = spec;
    this.#base = base;
    this.size = parameterCount(llamaLayout(spec));
  }

  get isLoaded(): boolean {
    return this.#model !== undefined;
  }

  /** The model as it is. `failed_precondition` before the first {@link load}. */
  get current(): TrainableModel {
    if (this.#model !== undefined) return this.#model;
    throw new MillraceError('failed_precondition', 'the policy has no weights yet: load them first');
  }

  /** The head for values; undefined without one. */
  get value(): ValueHead | undefined {
    return this.#value;
  }

  load(values: Float32Array): void {
    if (values.length !== this.size) {
      throw new MillraceError('invalid_argument', `the policy has ${this.size} parameters, got ${values.length}`);
    }
    const { base, train, value } = this.#spec;
    const offset = trainedSize(base.config, train);
    const own = values.subarray(0, offset);
    const next = train === 'all' ? wholeModel(base.config, own) : adapterModel(this.#base.frozen!, train, own);
    this.#model?.dispose();
    this.#model = next;
    this.#value = value ? { values: values.slice(offset), offset } : undefined;
  }

  dispose(): void {
    this.#model?.dispose();
    this.#model = undefined;
  }
}
