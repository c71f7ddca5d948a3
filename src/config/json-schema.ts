import { z } from 'zod';
import { jobConfigSchema } from './job.ts';

/** JSON Schema (draft 2020-12) of job.yaml, for editors: put it beside the job and name it in a `$schema` comment. */
export function jobJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(jobConfigSchema, { io: 'input', target: 'draft-2020-12' }),
    $id: 'https://millrace.invalid/schemas/job.json',
    title: 'Millrace training job',
  };
}
