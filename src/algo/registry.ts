import { z } from 'zod';
import type { AlgorithmConfig } from './config.ts';
import { grpo } from './grpo/method.ts';
import { grpoSchema } from './grpo/schema.ts';
import type { Method } from './method.ts';
import type { ValueConfig } from './schema/fields.ts';

/** Every method by its name. A new one is a folder, and a line here and in the two lists below. */
export const METHODS: { readonly [N in AlgorithmConfig['name']]: Method<Extract<AlgorithmConfig, { name: N }>> } = {
  grpo,
};

/** What `algorithm:` of a job holds: one method's options by `name`; GRPO's when the block or its name is absent. */
export const algorithmSchema = z.discriminatedUnion('name', [grpoSchema], { unionFallback: true });

/** The method that a job's options are for. */
export function methodOf(config: AlgorithmConfig): Method {
  return METHODS[config.name] as Method;
}

/** Options of the value head; undefined for methods without a critic. */
export function criticOf(config: AlgorithmConfig): ValueConfig | undefined {
  return methodOf(config).needs(config).values && 'value' in config ? (config.value as ValueConfig) : undefined;
}
