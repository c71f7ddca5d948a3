import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';

/** `millrace open`: a login link of the workbench. */
export function register(parent: Command, context: CliContext): void {
  parent
    .command('open')
    .description('print a link that opens the workbench of a running cluster in a browser, once, within ten minutes')
    .option('--gateway <url>', 'address of the gateway (default: the first that the cluster has)')
    .option('--gateway-token-file <file>', 'file with a token of the gateway of scope write (default: that of the state folder)')
    .action(async (flags: { gateway?: string; gatewayTokenFile?: string }) => {
      const [{ workbenchUrl }, { readTokenFile }, { credentialPath }] = await Promise.all([
        import('../workbench-url.ts'),
        import('../token-file.ts'),
        import('../../infra/credentials.ts'),
      ]);
      const file = flags.gatewayTokenFile ?? credentialPath(context.stateDir, 'gateway-write.token');
      const token = readTokenFile(file, context.cwd, '--gateway-token-file')!;
      const url = flags.gateway ?? (await findGateway(context));
      const link = await workbenchUrl({ url, token, caFile: context.tls?.caFile });
      context.print({ url: link }, () => `${link}\n`);
    });
}

async function findGateway(context: CliContext): Promise<string> {
  const { nodes } = await context.withAdmin((admin) => admin.listNodes({}));
  const url = nodes.map(({ labels }) => labels['gateway']).find((each) => each !== undefined);
  if (url !== undefined) return url;
  throw new MillraceError('failed_precondition', 'This cluster has no gateway; start it without --gateway-port off.');
}
