import { z } from 'zod';
import { MillraceError } from '../../src/errors.ts';
import { ROLE_NAMES } from '../../src/protocol/roles.ts';
import { openCredentials, openNatsPasswords } from '../infra/credentials.ts';
import { makeStateFolder } from '../infra/state-folder.ts';
import { credentialsOf } from '../runtime/settings/credentials.ts';
import { identityOf, type NodeSettings } from '../runtime/settings/node.ts';
import { checkNodeSettings } from '../runtime/settings/start.ts';

/** Variable that holds the settings of a node that is started by hand. */
const VARIABLE = 'MILLRACE_NODE';

/** As much as tells which credentials are needed; the rest is checked with them. */
const outline = z.looseObject({
  natsUrl: z.string(),
  stateDir: z.string().min(1),
  roles: z.array(z.looseObject({ role: z.enum(ROLE_NAMES) })).min(1),
});

/**
 * The settings of a node that is started by hand: JSON in `MILLRACE_NODE`, which is removed from `env`, with the credentials of its state
 * folder where it names none. Rejects with `invalid_argument` as `checkStart` does.
 */
export async function settingsByHand(env: NodeJS.ProcessEnv): Promise<NodeSettings> {
  const text = env[VARIABLE] ?? '{}';
  // What a flow starts need not know them.
  delete env[VARIABLE];
  return checkNodeSettings(withCredentials(parsed(text)), VARIABLE);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MillraceError('invalid_argument', `${VARIABLE} is not JSON.`, { field: VARIABLE });
  }
}

function withCredentials(given: unknown): unknown {
  const { data } = outline.safeParse(given);
  if (data === undefined) return given;
  makeStateFolder(data.stateDir);
  const credentials = openCredentials(data.stateDir);
  const roles = data.roles.map((section) => ({ ...credentialsOf(section.role, credentials), ...section }));
  const identity = identityOf(data.roles.map(({ role }) => role));
  const nats = { identity, password: openNatsPasswords(data.stateDir)[identity] };
  // Those of the cluster's own server; one that ran already says in its address who may come in.
  return { ...(!data.natsUrl.includes('@') && { nats }), ...data, roles };
}
