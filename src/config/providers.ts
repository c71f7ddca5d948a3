import { z } from 'zod';

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'expected 1 to 40 lower-case letters, digits and "-"');

/** Setting `providers` of a cluster: where the gateway sends calls of language models. Keys are in files or variables, never in settings. */
export const providersSchema = z
  .record(
    name,
    z
      .strictObject({
        url: z
          .url({ protocol: /^https?$/, hostname: /.*/ })
          .refine((url) => !/\/\/[^/]*@/.test(url), 'expected an address without a login: name a keyFile or keyEnv'),
        keyFile: z.string().min(1).optional(),
        keyEnv: z
          .string()
          .regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable')
          .optional(),
        models: z.array(z.string().min(1).max(200)).optional(),
      })
      .refine(({ keyFile, keyEnv }) => keyFile === undefined || keyEnv === undefined, {
        path: ['keyEnv'],
        error: 'is one place of the key, keyFile another; one of them is enough',
      }),
  )
  .default({})
  .describe(
    'providers of language models by name, for the gateway: {url, keyFile or keyEnv, models}; url is OpenAI-compatible and ends with its version, like https://api.openai.com/v1',
  );

/** Providers by name. */
export type ProvidersConfig = z.infer<typeof providersSchema>;
