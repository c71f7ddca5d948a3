import type { Command } from 'commander';
import type { CliContext } from '../context.ts';

interface JoinFlags {
  out: string;
  advertise?: string;
  roles?: string;
}

/** Options that every command has. */
const TOKEN_HELP =
  '\nThe token is in --token-file FILE, in standard input (--token -), or in the variable MILLRACE_JOIN_TOKEN; never in the arguments.';

/** `millrace cluster join`, for short `millrace join`: makes this host part of a cluster. */
export function register(parent: Command, context: CliContext): void {
  parent
    .command('join')
    .description('make this host part of a cluster: exchange a token for a certificate and what its roles need, in a new folder')
    .argument('<address>', 'gRPC address of a coordinator, host:port')
    .option('--out <folder>', 'where the files go; made, and refused unless empty', 'millrace-node')
    .option('--advertise <host>', 'name or address under which others reach this host (default: the name of the host)')
    .option('--roles <role,…>', 'some of the roles of the token (default: all)')
    .addHelpText('after', TOKEN_HELP)
    .action(async (address: string, flags: JoinFlags) => {
      const { joinHost } = await import('../join-host.ts');
      const { folder, roles } = await joinHost(context, { ...flags, address });
      context.print({ folder, roles }, () => nextSteps(folder, roles));
    });
}

function nextSteps(folder: string, roles: readonly string[]): string {
  const nodes = roles.filter((role) => role !== 'admin');
  return [
    `This host has joined as ${roles.join(', ')}; its files are in ${folder}. There:`,
    ...nodes.map((role) => `  millrace node run --roles ${role} --config cluster.yaml`),
    ...(roles.includes('admin')
      ? [
          '  millrace --address HOST:PORT --token-file credentials/admin.token --tls-ca credentials/ca.pem \\',
          '    --tls-cert credentials/node.pem --tls-key credentials/node.key node list',
        ]
      : []),
    '',
  ].join('\n');
}
