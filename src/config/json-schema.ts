import { z } from 'zod';
import { broughtPolicySchema, builtInKinds } from '../policy/registry.ts';
import { jobConfigSchema } from './job.ts';

/** JSON Schema (draft 2020-12) of job.yaml, for editors: put it beside the job and name it in a `$schema` comment. */
export function jobJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(jobConfigSchema, { io: 'input', target: 'draft-2020-12', override: takeAnyKind }),
    $id: 'https://millrace.invalid/schemas/job.json',
    title: 'Millrace training job',
  };
}

/** Kinds that flow modules bring: any name but those of the built-in ones. */
function takeAnyKind({ zodSchema, jsonSchema }: { zodSchema: unknown; jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (zodSchema !== broughtPolicySchema) return;
  const { kind } = jsonSchema.properties ?? {};
  const description = (kind as z.core.JSONSchema.BaseSchema | undefined)?.description;
  jsonSchema.properties = { kind: { type: 'string', not: { enum: builtInKinds.names }, ...(description && { description }) } };
  jsonSchema.required = ['kind'];
}
