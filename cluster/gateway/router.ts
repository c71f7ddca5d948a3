import { MillraceError } from '../../src/errors.ts';
import type { RouteScope } from '../../src/access/required.ts';
import type { Route } from './routes.ts';

/** A route with what it takes. */
export type ScopedRoute = Route & { readonly scope: RouteScope };

/** A route that a request has found, with what its path says for the route's `{names}`. */
export interface FoundRoute {
  route: ScopedRoute;
  params: Readonly<Record<string, string>>;
}

const PARAMETER = /^\{(\w+)\}$/;

/** Routes by path and method. */
export class Router {
  readonly #exact = new Map<string, Map<string, ScopedRoute>>();
  readonly #patterns: { segments: readonly string[]; methods: Map<string, ScopedRoute> }[] = [];

  /** Throws `internal` for two routes of the same path and method. */
  constructor(routes: readonly ScopedRoute[]) {
    for (const route of routes) {
      const methods = this.#methodsOf(route.path);
      if (methods.has(route.method)) throw new MillraceError('internal', `two routes for ${route.method} ${route.path}`);
      methods.set(route.method, route);
    }
  }

  /** Whether something at this path takes no credential. */
  isOpen(path: string): boolean {
    return [...(this.#exact.get(path)?.values() ?? [])].some(({ scope }) => scope === 'open');
  }

  /** The methods at a path, with its parameters; undefined where there is nothing. */
  at(path: string): { methods: ReadonlyMap<string, ScopedRoute>; params: Readonly<Record<string, string>> } | undefined {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return { methods: exact, params: {} };
    const given = path.split('/');
    for (const { segments, methods } of this.#patterns) {
      const params = match(segments, given);
      if (params !== undefined) return { methods, params };
    }
    return undefined;
  }

  #methodsOf(path: string): Map<string, ScopedRoute> {
    const segments = path.split('/');
    const known = segments.some((segment) => PARAMETER.test(segment))
      ? this.#patterns.find((pattern) => pattern.segments.join('/') === path)?.methods
      : this.#exact.get(path);
    if (known !== undefined) return known;
    const methods = new Map<string, ScopedRoute>();
    if (segments.some((segment) => PARAMETER.test(segment))) this.#patterns.push({ segments, methods });
    else this.#exact.set(path, methods);
    return methods;
  }
}

function match(segments: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (segments.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    const name = PARAMETER.exec(segment)?.[1];
    if (name === undefined && segment !== given[at]) return undefined;
    if (name !== undefined) params[name] = given[at]!;
  }
  return params;
}
