import { signal } from '@preact/signals';

/** Who the browser is logged in as. */
export interface Session {
  /** Of the credential. */
  name: string;
  scopes: readonly string[];
  expiresAt: number;
  csrf: string;
}

/** The login; null: there is none; undefined: it is being asked for. */
export const session = signal<Session | null | undefined>(undefined);

/** Asks whether the browser is logged in. */
export async function findSession(): Promise<void> {
  session.value = await answerOf(fetch('/session', { cache: 'no-store' }));
}

/** Logs in with the ticket of a login link, or a token of the gateway. Throws what the gateway says. */
export async function logIn(credential: { ticket: string } | { token: string }): Promise<void> {
  session.value = await answerOf(fetch('/session', { method: 'POST', body: JSON.stringify(credential) }));
}

export async function logOut(): Promise<void> {
  await answerOf(fetch('/session', { method: 'DELETE' }));
  session.value = null;
}

/** Whether the login may change something. */
export const mayWrite = (): boolean => session.value?.scopes.some((scope) => scope === 'train' || scope === 'admin') === true;

async function answerOf(asked: Promise<Response>): Promise<Session | null> {
  const response = await asked;
  const body = (await response.json()) as (Session & { error?: { message?: string } }) | null;
  if (response.ok) return body;
  throw new Error(body?.error?.message ?? `The gateway answered with status ${response.status}.`);
}
