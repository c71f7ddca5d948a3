import { z } from 'zod';
import type { AlgorithmConfig } from './config.ts';
import { dapo } from './dapo/method.ts';
import { dapoSchema } from './dapo/schema.ts';
import { decoupledPpo } from './decoupled-ppo/method.ts';
import { decoupledPpoSchema } from './decoupled-ppo/schema.ts';
import { drGrpo } from './dr-grpo/method.ts';
import { drGrpoSchema } from './dr-grpo/schema.ts';
import { flowGrpo } from './flow-grpo/method.ts';
import { flowGrpoSchema } from './flow-grpo/schema.ts';
import { grpo } from './grpo/method.ts';
import { grpoSchema } from './grpo/schema.ts';
import { gspo } from './gspo/method.ts';
import { gspoSchema } from './gspo/schema.ts';
import { gvpo } from './gvpo/method.ts';
import { gvpoSchema } from './gvpo/schema.ts';
import type { Method } from './method.ts';
import { ppo } from './ppo/method.ts';
import { ppoSchema } from './ppo/schema.ts';
import { reinforcePlusPlusBaseline } from './reinforce-plus-plus-baseline/method.ts';
import { reinforcePlusPlusBaselineSchema } from './reinforce-plus-plus-baseline/schema.ts';
import { reinforcePlusPlus } from './reinforce-plus-plus/method.ts';
import { reinforcePlusPlusSchema } from './reinforce-plus-plus/schema.ts';
import { rejection } from './rejection/method.ts';
import { rejectionSchema } from './rejection/schema.ts';
import { rloo } from './rloo/method.ts';
import { rlooSchema } from './rloo/schema.ts';
import type { ValueConfig } from './schema/fields.ts';
import { sft } from './sft/method.ts';
import { sftSchema } from './sft/schema.ts';
import { vtraceMethod } from './vtrace/method.ts';
import { vtraceSchema } from './vtrace/schema.ts';

/** Every method by its name. A new one is a folder, and a line here, in {@link algorithmSchema} and in `AlgorithmConfig`. */
export const METHODS: { readonly [N in AlgorithmConfig['name']]: Method<Extract<AlgorithmConfig, { name: N }>> } = {
  grpo,
  'dr-grpo': drGrpo,
  rloo,
  'reinforce-plus-plus': reinforcePlusPlus,
  'reinforce-plus-plus-baseline': reinforcePlusPlusBaseline,
  dapo,
  gspo,
  gvpo,
  'flow-grpo': flowGrpo,
  ppo,
  'decoupled-ppo': decoupledPpo,
  vtrace: vtraceMethod,
  rejection,
  sft,
};

/** What `algorithm:` of a job holds: one method's options by `name`; GRPO's when the block or its name is absent. */
export const algorithmSchema = z.discriminatedUnion(
  'name',
  [
    grpoSchema,
    drGrpoSchema,
    rlooSchema,
    reinforcePlusPlusSchema,
    reinforcePlusPlusBaselineSchema,
    dapoSchema,
    gspoSchema,
    gvpoSchema,
    flowGrpoSchema,
    ppoSchema,
    decoupledPpoSchema,
    vtraceSchema,
    rejectionSchema,
    sftSchema,
  ],
  { unionFallback: true },
);

/** The method that a job's options are for. */
export function methodOf(config: AlgorithmConfig): Method {
  return METHODS[config.name] as Method;
}

/** Options of the value head; undefined where the method has no critic. */
export function criticOf(config: AlgorithmConfig): ValueConfig | undefined {
  return 'value' in config ? config.value : undefined;
}
