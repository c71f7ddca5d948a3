import type { MillraceError } from '../errors.ts';
import type { Authenticator, Caller, Shown } from './authenticator.ts';
import type { Scope } from './scopes.ts';

/** Decides who may call the methods of a gRPC service. */
export interface CallGuard {
  /** @param method - its local name, e.g. `createJob`. Throws what {@link Authenticator.authorize} throws */
  admit(method: string, shown: Pick<Shown, 'authorization' | 'onBehalfOf'>): Caller;
  /** See {@link Authenticator.watch}. */
  watch(caller: Caller, onInvalid: (error: MillraceError) => void): () => void;
}

/** The guard of a service whose methods take these scopes. One that the table does not name takes `admin`. */
export function guardOf(authenticator: Authenticator, scopes: Readonly<Record<string, Scope>>): CallGuard {
  return {
    admit: (method, shown) => authenticator.authorize({ ...shown, target: method }, scopes[method] ?? 'admin'),
    watch: (caller, onInvalid) => authenticator.watch(caller, onInvalid),
  };
}
