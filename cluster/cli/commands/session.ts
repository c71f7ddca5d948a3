import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import { CREDENTIAL_FILES, credentialPath } from '../../infra/credentials.ts';
import type { CliContext } from '../context.ts';
import { readTokenFile } from '../token-file.ts';

interface CreateFlags {
  job?: string;
  recording?: string;
  task: string;
  split?: string;
  lifeSeconds?: string;
  gateway?: string;
  gatewayTokenFile?: string;
}

/** `millrace session …`: keys with which agents call models through the gateway. */
export function register(program: Command, context: CliContext): void {
  const session = program.command('session').description('keys with which agents call language models through the gateway');
  session
    .command('create')
    .description('make a trajectory of an outside agent, and print the address and the key that it is to use')
    .option('--job <job>', 'job that the trajectory is of')
    .option('--recording <name>', 'name under which calls are recorded that belong to no job')
    .option('--task <json>', 'the task as JSON; its id names it in tables', '{}')
    .option('--split <split>', 'train, validation or test; default train')
    .option('--life-seconds <seconds>', 'until the key expires; default 86400')
    .option('--gateway <url>', 'address of the gateway; default: that of the running cluster')
    .option('--gateway-token-file <path>', 'file with its write token; default: that of the state folder')
    .action(async (flags: CreateFlags) => {
      const url = flags.gateway?.replace(/\/+$/, '') ?? (await gatewayOf(context));
      const created = await post(`${url}/v1/sessions`, tokenOf(flags, context), {
        ...{ job: flags.job, recording: flags.recording, task: taskOf(flags.task, context.cwd), split: flags.split },
        ...(flags.lifeSeconds !== undefined && { life_seconds: Number(flags.lifeSeconds) }),
      });
      const shown = { ...created, base_url: `${url}/v1` };
      context.print(shown, () => `OPENAI_BASE_URL=${shown.base_url}\nOPENAI_API_KEY=${String(created['key'])}\n`);
    });
}

/** JSON itself, or the path of a file of it. */
function taskOf(given: string, cwd: string): unknown {
  try {
    return JSON.parse(given.startsWith('@') ? readFileSync(resolve(cwd, given.slice(1)), 'utf8') : given);
  } catch (cause) {
    throw new MillraceError('invalid_argument', `--task: expected JSON, or @file with JSON (${(cause as Error).message}).`, {
      field: '--task',
      cause,
    });
  }
}

async function gatewayOf(context: CliContext): Promise<string> {
  const { nodes } = await context.withAdmin((admin) => admin.listNodes({}));
  const url = nodes.map(({ labels }) => labels['gateway']).find((label) => label !== undefined);
  if (url !== undefined) return url;
  throw new MillraceError('unavailable', 'The cluster has no gateway that runs; set ports.gateway, or give --gateway.', {
    field: '--gateway',
  });
}

function tokenOf({ gatewayTokenFile }: CreateFlags, { stateDir, cwd }: CliContext): string {
  const own = credentialPath(stateDir, CREDENTIAL_FILES.gatewayWriteToken);
  return readTokenFile(gatewayTokenFile ?? own, cwd, '--gateway-token-file')!;
}

async function post(url: string, token: string, body: object): Promise<Record<string, unknown>> {
  const init = { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body) };
  const response = await fetch(url, init).catch((cause: unknown) => {
    throw new MillraceError('unavailable', `The gateway at ${url} does not answer.`, { cause });
  });
  const answer = (await response.json()) as { error?: { message?: string; field?: string; code?: string } };
  if (response.ok) return answer as Record<string, unknown>;
  const { message = `HTTP ${response.status}`, field } = answer.error ?? {};
  throw new MillraceError(response.status === 404 ? 'not_found' : 'invalid_argument', message, { ...(field && { field }) });
}
