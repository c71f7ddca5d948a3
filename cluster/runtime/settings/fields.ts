import { z } from 'zod';
import { COMPUTE_BACKENDS } from '../../../src/config/compute-backends.ts';

/** A port of this machine; 0 is a free one. */
export const port = z.int().min(0).max(65_535);

/** A bearer token or password that the cluster made, or its owner chose. */
export const credential = z.string().min(16);

/** Compute backend to insist on. Default: the best that works. */
export const backend = z.enum(COMPUTE_BACKENDS).optional();

/** Age in hours. */
const hours = z.number().positive().optional();

/** How long the store keeps rows, by what; what is left out is kept for ever. */
export const retention = z.strictObject({ steps: hours, trajectories: hours, text: hours, tokens: hours });

/** A ClickHouse server and how to log in there; see `ServerStoreOptions` in `src/store`. */
export const clickhouseServer = z.strictObject({
  url: z.string().min(1),
  username: z.string().optional(),
  password: z.string().optional(),
  database: z.string().optional(),
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
  cluster: z.string().optional(),
  replicated: z.boolean().optional(),
});

/** One GPU, as `cluster/infra/gpus.ts` finds it. */
export const gpu = z.strictObject({
  visible: z.string(),
  name: z.string().optional(),
  memoryMiB: z.number().optional(),
});
