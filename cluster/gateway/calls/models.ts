import type { GatewayRequest, Reply, Route } from '../routes.ts';
import { objectOf } from './chat-response.ts';
import type { Providers } from './providers.ts';
import { wholeBody, type UpstreamClient } from './upstream.ts';

const WITHIN_MS = 5_000;

/**
 * `GET /v1/models`: the models that the settings list, and of providers that list none what they answer themselves within 5 s; one that
 * does not answer is left out. Ids are `<provider>/<model>`.
 */
export function modelsRoute({ providers, upstreams }: { providers: Providers; upstreams: UpstreamClient }): Route {
  return {
    ...{ method: 'GET', path: '/v1/models' },
    async handle({ signal }: GatewayRequest): Promise<Reply> {
      const within = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
      const models = await Promise.all(
        providers.names.map(async (provider) => {
          const ids = providers.listed(provider) ?? (await asked({ providers, upstreams }, provider, within));
          return ids.map((id) => ({ id: `${provider}/${id}`, object: 'model', created: 0, owned_by: provider }));
        }),
      );
      return { json: { object: 'list', data: models.flat() } };
    },
  };
}

async function asked(
  { providers, upstreams }: { providers: Providers; upstreams: UpstreamClient },
  provider: string,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    const response = await upstreams.send(providers.at(provider), { method: 'GET', path: '/models', signal });
    const { data } = objectOf(JSON.parse((await wholeBody(response)).toString()));
    if (!Array.isArray(data)) return [];
    return data.map((model) => objectOf(model)['id']).filter((id) => typeof id === 'string');
  } catch {
    return [];
  }
}
