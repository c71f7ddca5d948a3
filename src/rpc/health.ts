import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

/** The standard health service of a server. */
export interface Health {
  /** What checks of this name answer from now on; '' is the whole server. */
  set(name: string, serving: boolean): void;
  /** Sets every name. */
  setAll(serving: boolean): void;
}

/** Adds grpc.health.v1.Health; every name, and '', starts as SERVING. */
export function createHealth(server: Server, names: readonly string[]): Health {
  const known = new Set(['', ...names]);
  const health = new HealthImplementation(Object.fromEntries([...known].map((name) => [name, 'SERVING'] as const)));
  health.addToServer(server);
  const set = (name: string, serving: boolean): void => {
    known.add(name);
    health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };
  return {
    set,
    setAll: (serving) => {
      for (const name of known) set(name, serving);
    },
  };
}
