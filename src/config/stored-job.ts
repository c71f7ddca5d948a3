import { z } from 'zod';
import { jobConfigSchema } from './job.ts';

/** What jobs did before there was a setting for it, by section and key. */
const BEFORE: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  split: { test: 0 },
  rollout: { stateBytes: 0 },
  evaluation: { test: false },
  optimizer: { averaging: 0 },
  algorithm: { finalEntropy: 1 },
};

/**
 * A job's configuration as it was stored with all its defaults, perhaps by an older version: settings that it lacks did not exist then, and
 * are what that version did, not today's defaults. A job that goes on must not be split in another way than it was begun.
 */
export const storedJobConfigSchema = z.preprocess((stored) => {
  if (!isObject(stored)) return stored;
  const config: Record<string, unknown> = { ...stored };
  for (const [section, settings] of Object.entries(BEFORE)) {
    const own = config[section] ?? {};
    if (isObject(own)) config[section] = { ...settings, ...own };
  }
  return config;
}, jobConfigSchema);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
