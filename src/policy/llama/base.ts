/** Frozen weights of base models, one copy in a process, whatever policies use them. */
import * as tf from '@tensorflow/tfjs-core';
import { chatFormat, type ChatFormat } from '../../base-model/chat/format.ts';
import { createChatTemplate } from '../../base-model/chat/template.ts';
import { GenerationEngine, type EngineOptions } from '../../base-model/generate/engine.ts';
import { loadWeights, type ModelWeights } from '../../base-model/forward/weights.ts';
import type { TextTokenizer } from '../../base-model/tokenizer.ts';
import { MillraceError } from '../../errors.ts';
import { openBase } from './read.ts';
import type { LlamaSpec } from './spec.ts';

/** What policies of one base model share. */
export interface LoadedBase {
  tokenizer: TextTokenizer;
  format: ChatFormat;
  stopTokens: readonly number[];
  /** Absent where all weights are trained: every policy has its own. */
  frozen: ModelWeights | undefined;
  /** Writes with them. */
  engine: GenerationEngine | undefined;
}

/** Of models that were not trained on conversations. */
const PLAIN_TEMPLATE = `{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}`;

const bases = new Map<string, Promise<LoadedBase>>();
const loaded = new Map<string, LoadedBase>();

/**
 * Loads the base model of a specification for the current backend, once in a process. `failed_precondition` when the files hold another model than
 * the specification names; throws as `openBaseModel` does.
 */
export async function loadBase(spec: LlamaSpec): Promise<void> {
  const key = keyOf(spec);
  let base = bases.get(key);
  if (base === undefined) {
    base = read(spec);
    base.catch(() => bases.delete(key));
    bases.set(key, base);
  }
  loaded.set(key, await base);
}

/** A base that {@link loadBase} loaded. */
export function baseOf(spec: LlamaSpec): LoadedBase {
  const base = loaded.get(keyOf(spec));
  if (base === undefined)
    throw new MillraceError('internal', `the base model ${spec.base.path} is not loaded: await load(spec) first`);
  return base;
}

function keyOf({ base, train, deterministic }: LlamaSpec): string {
  return `${tf.getBackend()} ${base.digest} ${train === 'all' ? 'all' : 'frozen'} ${deterministic}`;
}

/** How a policy's texts are written. */
export function engineOptions({ deterministic }: LlamaSpec): EngineOptions {
  return { deterministic };
}

async function read(spec: LlamaSpec): Promise<LoadedBase> {
  const { base, train } = spec;
  const { path, digest } = base;
  const model = await openBase(base);
  try {
    const found = await model.digest();
    if (found !== digest) {
      throw new MillraceError(
        'failed_precondition',
        `${path} holds the model ${found.slice(0, 12)}…, and the policy is of the model ${digest.slice(0, 12)}…: put the right files there`,
        { field: 'policy.base' },
      );
    }
    const { tokenizer, stopTokens } = model;
    const frozen = train === 'all' ? undefined : await loadWeights(model);
    const template = model.chatTemplate ?? createChatTemplate(PLAIN_TEMPLATE, {}, path);
    const stops = stopTokens.map((token) => tokenizer.decode([token])).filter((text) => text !== '');
    return {
      ...{ tokenizer, stopTokens },
      format: chatFormat(template, { stops, specials: tokenizer.specials }),
      frozen,
      engine: frozen && new GenerationEngine(frozen, engineOptions(spec)),
    };
  } finally {
    await model.close();
  }
}
