import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../clock/system.ts';
import { memoryRates } from '../../model/rate/rate-store.ts';
import { startFakeProvider, type FakeProvider } from '../../model/testing/fake-provider.ts';
import { readModelsFile } from './models-file.ts';
import { OpenModels } from './open-models.ts';

let folder: string;
let provider: FakeProvider;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-models-'));
  provider = await startFakeProvider({ apiKey: 'sk-very-secret', script: ({ model }) => `I am ${model}` });
});
afterEach(async () => {
  await provider.close();
  rmSync(folder, { recursive: true });
});

function open(text: string, env: Record<string, string> = { KEY: 'sk-very-secret' }): OpenModels {
  const path = join(folder, 'models.yaml');
  writeFileSync(path, text.replaceAll('URL', provider.url));
  return new OpenModels(readModelsFile(path), { path, env, clock: systemClock, rates: memoryRates() });
}

const REQUEST = { messages: [{ role: 'user' as const, content: 'Who are you?' }] };
const PROVIDERS = `
providers:
  local: { kind: openai, url: URL/v1, key: { env: KEY }, attempts: 1 }
  other: { kind: anthropic, url: URL/v1, key: { file: key.txt }, requestsPerMinute: 600 }
`;

describe('a models file', () => {
  it('opens models of providers, and routes over them', async () => {
    writeFileSync(join(folder, 'key.txt'), 'sk-very-secret\n');
    const models = open(`${PROVIDERS}
models:
  small: { provider: local, model: gpt-small, price: { inputPerMillion: 1, outputPerMillion: 2 } }
  large: { provider: other, model: claude-large, price: { inputPerMillion: 10, outputPerMillion: 20 } }
  safe: { fallback: [large, small] }
  cheap: { cheapest: [large, small] }
  clever: { escalate: [small, large] }
  routed: { rules: [{ model: large, contains: Who }], otherwise: small }
`);
    expect(models.names).toEqual(['small', 'large', 'safe', 'cheap', 'clever', 'routed']);
    const said = await Promise.all(models.names.map(async (name) => (await models.model(name).generate(REQUEST)).text));
    const [small, large] = ['I am gpt-small', 'I am claude-large'];
    expect(said).toEqual([small, large, large, small, small, large]);
    expect((await models.model('small').generate(REQUEST)).microDollars).toBeGreaterThan(0);
  });

  it.each([
    ['providers:\n  a: { kind: open }', /models\.yaml:2: .*providers\.a\.kind/s],
    ['providers:\n  a: { kind: openai, key: sk-in-the-file-itself }', /providers\.a\.key/],
    ['providers:\n  a: { kind: openai, key: { env: A, file: b } }', /expected one of env and file/],
    ['models:\n  a: { provider: b, model: c, typo: 1 }', /models\.a/],
    ['provider: {}', /provider/],
  ])('says what is wrong in %s', (text, problem) => {
    expect(() => open(text)).toThrow(problem);
  });

  it('says what is missing when a model is opened', () => {
    const models = open(`${PROVIDERS}\nmodels:
  a: { provider: nobody, model: x }
  b: { provider: other, model: x }
  c: { fallback: [d] }
  d: { fallback: [c] }
`);
    expect(() => models.model('a')).toThrow(/provider 'nobody', and providers are local, other/);
    expect(() => models.model('b')).toThrow(/key of provider 'other' is not there: .*key\.txt cannot be read/);
    expect(() => models.model('c')).toThrow(/c → d → c/);
    expect(() => models.model('e')).toThrow(/there is no model 'e'; models are a, b, c, d/);
    const keyless = open(`${PROVIDERS}\nmodels: { a: { provider: local, model: x } }`, {});
    expect(() => keyless.model('a')).toThrow(/variable KEY is not set/);
  });

  it('a key is in no result, no error and no file', async () => {
    const models = open(`${PROVIDERS}\nmodels: { a: { provider: local, model: x } }`);
    const wrong = open(`${PROVIDERS}\nmodels: { a: { provider: local, model: x } }`, { KEY: 'sk-wrong-secret' });
    const result = await models.model('a').generate(REQUEST);
    const error = await wrong
      .model('a')
      .generate(REQUEST)
      .catch((thrown: unknown) => thrown as Error);
    const seen = [JSON.stringify(result), JSON.stringify(error), String((error as Error).stack), JSON.stringify(models)];
    for (const name of readdirSync(folder)) seen.push(readFileSync(join(folder, name), 'utf8'));
    expect(error).toMatchObject({ reason: 'MODEL_UNAUTHENTICATED' });
    expect(seen.join('\n')).not.toMatch(/very-secret|wrong-secret/);
  });
});
