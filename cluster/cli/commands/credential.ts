import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parseAge } from '../../../src/config/age.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { Credential } from '../../../src/gen/millrace/v1/access_pb.ts';
import type { CliContext } from '../context.ts';

interface CreateFlags {
  name: string;
  scopes: string;
  owner?: string;
  ttl: string;
  out?: string;
}

interface RotateFlags {
  overlap?: string;
  ttl?: string;
  out?: string;
}

const OUT = ['--out <file>', 'new file for the token, for this account alone (default: standard output)'] as const;

/** `millrace credential …`: who may call the cluster, by name. */
export function register(program: Command, context: CliContext): void {
  const credential = program
    .command('credential')
    .description('who may call the cluster, and what they may do: create, list, revoke, rotate');
  credential
    .command('create')
    .description('make a credential; its token is printed alone, once, and is a secret')
    .requiredOption('--name <name>', 'whose it is: 1 to 40 of a-z, 0-9 and "-"')
    .requiredOption(
      '--scopes <scope,…>',
      'train (jobs, flows, adapters), serve (live tasks), read (look at everything), metrics, or admin (all of it, and credentials)',
    )
    .option('--owner <name>', 'owner of what its holder makes (default: the name)')
    .option('--ttl <age>', 'how long it lets its holder in, 1m to 366d', '30d')
    .option(...OUT)
    .action(async ({ name, scopes, owner = '', ttl, out }: CreateFlags) => {
      const request = { name, owner, scopes: scopes.split(',').map((scope) => scope.trim()), ttl: duration(ttl, '--ttl') };
      await tell(context, out, await context.withAdmin((admin) => admin.createCredential(request)));
    });
  credential
    .command('list')
    .description('all credentials, by name, those that have expired or were revoked too')
    .action(async () => {
      const { credentials } = await context.withAdmin((admin) => admin.listCredentials({}));
      const { credentialJson, credentialTable } = await import('../credential-view.ts');
      context.print(credentials.map(credentialJson), () =>
        credentials.length === 0 ? 'there are no named credentials\n' : credentialTable(credentials),
      );
    });
  credential
    .command('revoke')
    .description('let nobody in with a credential any more; its open streams end')
    .argument('<name>', 'credential')
    .action(async (name: string) => {
      const { credential: revoked } = await context.withAdmin((admin) => admin.revokeCredential({ name }));
      const { credentialJson } = await import('../credential-view.ts');
      context.print(credentialJson(shown(revoked)), () => `credential ${name} is revoked\n`);
    });
  credential
    .command('rotate')
    .description('replace the token of a credential; the new one is printed alone, once, and is a secret')
    .argument('<name>', 'credential')
    .option('--overlap <age>', 'how long the token before is still taken, at most 7d (default: not at all)')
    .option('--ttl <age>', 'from now on, 1m to 366d (default: its end stays)')
    .option(...OUT)
    .action(async (name: string, { overlap, ttl, out }: RotateFlags) => {
      const request = {
        name,
        ...(overlap !== undefined && { overlap: duration(overlap, '--overlap') }),
        ...(ttl !== undefined && { ttl: duration(ttl, '--ttl') }),
      };
      await tell(context, out, await context.withAdmin((admin) => admin.rotateCredential(request)));
    });
}

const duration = (age: string, field: string): { seconds: bigint } => ({ seconds: BigInt(parseAge(age, field)) });

function shown(credential: Credential | undefined): Credential {
  if (credential !== undefined) return credential;
  throw new MillraceError('internal', 'The server has answered without a credential; is it of another version?');
}

/** Prints the token alone, or writes it to a file, and says on stderr what it is for. */
async function tell(
  context: CliContext,
  out: string | undefined,
  { credential, token }: { credential?: Credential | undefined; token: string },
): Promise<void> {
  const { credentialJson, credentialLine } = await import('../credential-view.ts');
  const made = shown(credential);
  if (out !== undefined) writeToken(resolve(context.cwd, out), token);
  const place = out === undefined ? { token } : { token_file: out };
  context.print({ ...credentialJson(made), ...place }, () => (out === undefined ? `${token}\n` : ''));
  context.note(credentialLine(made));
}

function writeToken(path: string, token: string): void {
  try {
    writeFileSync(path, `${token}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    // The token is shown once. If it is lost, the credential must be rotated.
    const why = `${path} cannot be written (${(cause as NodeJS.ErrnoException).code}); the credential was made: rotate it to get a token`;
    throw new MillraceError('failed_precondition', `${why}.`, { cause, field: '--out' });
  }
}
