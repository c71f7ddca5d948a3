import type { Metadata } from '@grpc/grpc-js';
import type { Caller } from '../access/authenticator.ts';

/** Key of the metadata that names the caller for whom another one calls. */
export const ON_BEHALF_OF = 'millrace-on-behalf-of';

/** Beside the metadata and not in it: what is in it comes from the caller. */
const callers = new WeakMap<Metadata, Caller>();

/** Who makes the call with this metadata, once it was let in. */
export const callerOf = (metadata: Metadata): Caller | undefined => callers.get(metadata);

/** Notes who makes a call. */
export const setCaller = (metadata: Metadata, caller: Caller): void => void callers.set(metadata, caller);
