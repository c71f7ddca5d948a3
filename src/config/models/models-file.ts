import { z } from 'zod';
import { modelPrice } from '../budgets.ts';
import { check } from '../problems.ts';
import { readYamlFile } from '../yaml-file.ts';

const name = z.string().regex(/^[\w.-]{1,64}$/, 'expected letters, digits, "_", "." and "-", at most 64');

/** Where a key is: never the key itself. */
const keySchema = z
  .strictObject({
    env: z.string().min(1).optional().describe('environment variable with the key'),
    file: z.string().min(1).optional().describe('file with the key, relative to this one; ~/ is the home folder'),
  })
  .refine(({ env, file }) => (env === undefined) !== (file === undefined), 'expected one of env and file');

const providerSchema = z.strictObject({
  kind: z.enum(['openai', 'anthropic', 'bedrock']).describe('how the provider speaks: chat completions, Messages, or Converse'),
  url: z
    .url({ protocol: /^https?$/, hostname: /.*/ })
    .optional()
    .describe("address up to /v1; the provider's own when absent"),
  key: keySchema.optional().describe('where the key is; Bedrock takes the credentials of the AWS environment'),
  region: z.string().min(1).optional().describe('region of Bedrock; AWS_REGION, else us-east-1 when absent'),
  requestsPerMinute: z.number().positive().max(1e9).optional().describe('requests in a minute; not limited when absent'),
  tokensPerMinute: z
    .number()
    .positive()
    .max(1e12)
    .optional()
    .describe('tokens in a minute, read and written; not limited when absent'),
  concurrency: z.int().min(1).max(100_000).default(64).describe('calls at a time of one process'),
  timeoutSeconds: z.number().positive().max(86_400).default(300).describe('longest time of an answer'),
  silentSeconds: z.number().positive().max(86_400).default(60).describe('longest time without an event of a stream'),
  attempts: z.int().min(1).max(20).default(4).describe('tries of a call, the first included'),
});

const price = modelPrice;
const names = z.array(name).min(1).max(32);

const clientSchema = z.strictObject({
  provider: name.describe('one of providers'),
  model: z.string().min(1).max(200).describe('the model as the provider names it'),
  price: price.optional().describe('US dollars for a million tokens; nothing is booked when absent'),
  maxTokens: z.int().min(1).max(1_000_000).default(4096).describe('most tokens of an answer, where a request does not say'),
  cache: z
    .enum(['none', 'greedy', 'all'])
    .default('none')
    .describe('which answers are kept: none, those at temperature 0, or all'),
});
const fallbackSchema = z.strictObject({ fallback: names.describe('models in the order in which they are asked when one fails') });
const cheapestSchema = z.strictObject({ cheapest: names.describe('models of which the cheapest for the request is asked') });
const escalateSchema = z.strictObject({
  escalate: names.describe('models from the smallest to the largest; the next is asked when one is not sure'),
  confidence: z.number().gt(0).max(1).default(0.7).describe('least mean probability of the tokens of an answer'),
});
const ruleSchema = z.strictObject({
  model: name,
  images: z.boolean().optional(),
  tools: z.boolean().optional(),
  output: z.boolean().optional(),
  maxChars: z.int().min(0).optional(),
  contains: z.string().min(1).optional(),
});
const rulesSchema = z.strictObject({
  rules: z.array(ruleSchema).min(1).max(100).describe('the first rule that suits the request says the model'),
  otherwise: name.describe('the model of all other requests'),
});

/** The file that says which models there are, and how their providers are reached. */
export const modelsFileSchema = z.strictObject({
  providers: z.record(name, providerSchema).default({}),
  models: z.record(name, z.union([clientSchema, fallbackSchema, cheapestSchema, escalateSchema, rulesSchema])).default({}),
});

/** What a models file says. */
export type ModelsConfig = z.output<typeof modelsFileSchema>;
export type ProviderConfig = z.output<typeof providerSchema>;
export type ModelConfig = ModelsConfig['models'][string];

/**
 * Reads a models file.
 *
 * @throws MillraceError `not_found`; `invalid_argument` with the line and field that is wrong
 */
export function readModelsFile(path: string): ModelsConfig {
  const file = readYamlFile(path);
  return check(modelsFileSchema, file.value, path, (at, what) => file.locate(at, what));
}
