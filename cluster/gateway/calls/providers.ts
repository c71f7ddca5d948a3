import { readFileSync } from 'node:fs';
import { MillraceError } from '../../../src/errors.ts';

/** A provider as the settings of the gateway name it. */
export interface ProviderSettings {
  /** Up to and with the version, e.g. `https://api.openai.com/v1`. */
  url: string;
  /** File that holds the key; read again for every call, so that it may be changed. */
  keyFile?: string | undefined;
  /** Variable of the gateway's environment that holds the key. */
  keyEnv?: string | undefined;
  /** Models that it is asked for. Default: any. */
  models?: readonly string[] | undefined;
}

/** Where a call goes. */
export interface Upstream {
  provider: string;
  url: string;
  /** Name of the model at the provider. */
  model: string;
  /** Undefined where the provider needs none. */
  key: string | undefined;
}

/** The providers of a gateway. Their keys are nowhere else. */
export class Providers {
  readonly #settings: Readonly<Record<string, ProviderSettings>>;
  readonly #env: NodeJS.ProcessEnv;

  constructor(settings: Readonly<Record<string, ProviderSettings>>, env: NodeJS.ProcessEnv = process.env) {
    this.#settings = settings;
    this.#env = env;
  }

  get names(): string[] {
    return Object.keys(this.#settings);
  }

  /**
   * Where a model is: `<provider>/<model>`; else the first provider that lists it, else the first that lists none. `not_found` for
   * a model of no provider, `failed_precondition` where the key is missing.
   */
  resolve(model: string): Upstream {
    const [prefix, ...rest] = model.split('/');
    const named = rest.length > 0 && Object.hasOwn(this.#settings, prefix!) ? prefix : undefined;
    const own = named === undefined ? model : rest.join('/');
    const provider = named ?? this.#providerOf(model);
    if (provider === undefined || !this.#takes(provider, own)) throw this.#unknown(model);
    return { ...this.at(provider), model: own };
  }

  /** Address and key of a provider. */
  at(provider: string): Omit<Upstream, 'model'> {
    const { url } = this.#settings[provider]!;
    return { provider, url: url.replace(/\/+$/, ''), key: this.#keyOf(provider) };
  }

  /** Models that a provider is set to have; undefined where it may have any. */
  listed(provider: string): readonly string[] | undefined {
    return this.#settings[provider]?.models;
  }

  #takes(provider: string, model: string): boolean {
    const models = this.#settings[provider]!.models;
    return model !== '' && (models === undefined || models.includes(model));
  }

  #providerOf(model: string): string | undefined {
    const names = this.names;
    return names.find((name) => this.listed(name)?.includes(model)) ?? names.find((name) => this.listed(name) === undefined);
  }

  #unknown(model: string): MillraceError {
    const known = this.names.flatMap((name) => (this.listed(name) ?? ['<any model>']).map((each) => `${name}/${each}`));
    const what = known.length === 0 ? 'the gateway has no providers: set providers.<name>.url' : `use one of ${known.join(', ')}`;
    return new MillraceError('not_found', `There is no model "${model.slice(0, 100)}" here; ${what}.`, {
      field: 'model',
      reason: 'MODEL_NOT_FOUND',
    });
  }

  #keyOf(provider: string): string | undefined {
    const { keyFile, keyEnv } = this.#settings[provider]!;
    if (keyFile === undefined && keyEnv === undefined) return undefined;
    const key = keyFile === undefined ? this.#env[keyEnv!] : fileText(keyFile);
    if (key !== undefined && key.trim() !== '') return key.trim();
    const where =
      keyFile === undefined ? `variable ${keyEnv} of the gateway is not set` : `${keyFile} cannot be read or is empty`;
    throw new MillraceError('failed_precondition', `The key of provider ${provider} is missing: ${where}.`, {
      field: `providers.${provider}`,
    });
  }
}

function fileText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
