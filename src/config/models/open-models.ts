import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Budget } from '../../budget/budget.ts';
import type { PriceTable } from '../../budget/prices.ts';
import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import { withHome } from '../../files/home.ts';
import { anthropicModel } from '../../model/clients/anthropic/client.ts';
import { bedrockModel } from '../../model/clients/bedrock/client.ts';
import { openAiModel } from '../../model/clients/openai/client.ts';
import type { Model } from '../../model/model.ts';
import { rateLimited } from '../../model/rate/rate-limited.ts';
import { RateLimiter } from '../../model/rate/rate-limiter.ts';
import type { RateStore } from '../../model/rate/rate-store.ts';
import { routedByCost, routedByRule } from '../../model/route/choose.ts';
import { escalating } from '../../model/route/escalate.ts';
import { fallingBack } from '../../model/route/fallback.ts';
import { wrapped, type ModelWrapper } from '../../model/wrap/around.ts';
import { breaking } from '../../model/wrap/breaker.ts';
import { paid } from '../../model/wrap/budget.ts';
import { cached, memoryCache } from '../../model/wrap/cache.ts';
import { concurrent } from '../../model/wrap/concurrency.ts';
import { retrying } from '../../model/wrap/retries.ts';
import { timeLimited } from '../../model/wrap/time-limit.ts';
import type { ModelConfig, ModelsConfig, ProviderConfig } from './models-file.ts';

/** What models are opened with. */
export interface OpenModelsOptions {
  /** Path of the file; keys in files are relative to its folder. */
  path: string;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  /** Where the rates of providers are kept: those of the cluster, or of this process. */
  rates: RateStore;
  /** Asked before each call. Default: nobody is. */
  budget?: Budget | undefined;
}

/** Opens the models of a file, each when it is asked for. */
export class OpenModels {
  /** Names of the file. */
  readonly names: readonly string[];
  readonly #config: ModelsConfig;
  readonly #options: OpenModelsOptions;
  readonly #prices: PriceTable;
  readonly #opened = new Map<string, Model>();
  readonly #providers = new Map<string, (model: string, name: string) => Model>();

  constructor(config: ModelsConfig, options: OpenModelsOptions) {
    this.#config = config;
    this.#options = options;
    this.names = Object.keys(config.models);
    const priced = Object.entries(config.models).flatMap(([name, model]) =>
      'provider' in model && model.price !== undefined ? [[name, model.price] as const] : [],
    );
    this.#prices = { models: Object.fromEntries(priced), tools: {} };
  }

  /** What the file says of a model. */
  configOf(name: string): ModelConfig {
    const config = Object.hasOwn(this.#config.models, name) ? this.#config.models[name] : undefined;
    if (config !== undefined) return config;
    throw new MillraceError(
      'not_found',
      `${this.#options.path}: there is no model '${name}'; models are ${this.names.join(', ') || 'none'}`,
      {
        field: `models.${name}`,
      },
    );
  }

  /**
   * The model of this name, with all that the file says of it.
   *
   * @throws MillraceError `not_found` where it, its provider or its key is missing; `invalid_argument` for routes that lead to themselves
   */
  model(name: string, above: readonly string[] = []): Model {
    if (above.includes(name))
      throw new MillraceError(
        'invalid_argument',
        `${this.#options.path}: models lead to themselves: ${[...above, name].join(' → ')}`,
        {
          field: `models.${name}`,
        },
      );
    let model = this.#opened.get(name);
    if (model === undefined) this.#opened.set(name, (model = this.#open(name, this.configOf(name), [...above, name])));
    return model;
  }

  #open(name: string, config: ModelConfig, above: readonly string[]): Model {
    const all = (names: readonly string[]): [Model, ...Model[]] =>
      names.map((each) => this.model(each, above)) as [Model, ...Model[]];
    if ('fallback' in config) return fallingBack(all(config.fallback), name);
    if ('cheapest' in config) return routedByCost(name, all(config.cheapest), this.#prices);
    if ('escalate' in config) return escalating(name, all(config.escalate), { confidence: config.confidence });
    if ('rules' in config) {
      const rules = config.rules.map(({ model, ...rule }) => ({ rule, model: this.model(model, above) }));
      return routedByRule(name, rules, this.model(config.otherwise, above));
    }
    const { clock, budget } = this.#options;
    const { provider, model, maxTokens, cache } = config;
    const { attempts } = this.#providerConfig(provider, name);
    return wrapped(
      this.#provider(provider, name)(model, name),
      paid({ prices: this.#prices, budget, maxTokens }),
      retrying({ attempts }, clock),
      cache === 'none' ? undefined : cached({ store: memoryCache({ clock }), which: cache }),
    );
  }

  #providerConfig(provider: string, model: string): ProviderConfig {
    const config = Object.hasOwn(this.#config.providers, provider) ? this.#config.providers[provider] : undefined;
    if (config !== undefined) return config;
    const known = Object.keys(this.#config.providers).join(', ') || 'none';
    throw new MillraceError(
      'not_found',
      `${this.#options.path}: model '${model}' is of provider '${provider}', and providers are ${known}`,
      {
        field: `models.${model}.provider`,
      },
    );
  }

  /** Models of a provider share its circuit, its calls at a time and its rates. */
  #provider(name: string, askedBy: string): (model: string, name: string) => Model {
    let open = this.#providers.get(name);
    if (open !== undefined) return open;
    const config = this.#providerConfig(name, askedBy);
    const { clock, rates } = this.#options;
    const { requestsPerMinute, tokensPerMinute, concurrency, timeoutSeconds, silentSeconds } = config;
    const hasRate = requestsPerMinute !== undefined || tokensPerMinute !== undefined;
    const limits = { requestsPerMinute, tokensPerMinute };
    const shared: (ModelWrapper | undefined)[] = [
      timeLimited({ totalMs: 1000 * timeoutSeconds, silentMs: 1000 * silentSeconds }, clock),
      concurrent({ calls: concurrency }),
      hasRate ? rateLimited(new RateLimiter({ name, limits, store: rates, clock })) : undefined,
      breaking({}),
    ];
    const apiKey = this.#keyOf(name, config);
    open = (model, as) => wrapped(client(config, { model, name: as, apiKey, clock }), ...shared);
    this.#providers.set(name, open);
    return open;
  }

  #keyOf(name: string, { key }: ProviderConfig): string | undefined {
    if (key === undefined) return undefined;
    const { path, env } = this.#options;
    const missing = (where: string): never => {
      throw new MillraceError('not_found', `${path}: the key of provider '${name}' is not there: ${where}`, {
        field: `providers.${name}.key`,
      });
    };
    let value: string | undefined;
    if (key.env !== undefined) value = env[key.env] ?? missing(`variable ${key.env} is not set`);
    else {
      const file = resolve(dirname(path), withHome(key.file!));
      try {
        value = readFileSync(file, 'utf8');
      } catch {
        missing(`${file} cannot be read`);
      }
    }
    const trimmed = value!.trim();
    return trimmed === '' ? missing('it is empty') : trimmed;
  }
}

function client(
  { kind, url, region }: ProviderConfig,
  common: { model: string; name: string; apiKey: string | undefined; clock: Clock },
): Model {
  const at = url === undefined ? {} : { url };
  if (kind === 'openai') return openAiModel({ ...common, ...at });
  if (kind === 'anthropic') return anthropicModel({ ...common, ...at });
  const { model, name, clock } = common;
  return bedrockModel({
    model,
    name,
    clock,
    ...(url !== undefined && { endpoint: url }),
    ...(region !== undefined && { region }),
  });
}
