import { timestampDate } from '@bufbuild/protobuf/wkt';
import type { Command } from 'commander';
import { parseAge } from '../../../src/config/age.ts';
import type { CliContext } from '../context.ts';

/** `millrace cluster token …`: tokens with which hosts join. */
export function register(cluster: Command, context: CliContext): void {
  const token = cluster.command('token').description('tokens with which other hosts join the cluster: create');
  token
    .command('create')
    .description('make a token with which one host may join once; it is printed alone, and is a secret')
    .requiredOption(
      '--roles <role,…>',
      'what the host may join as: coordinator, parameter-server, learner, rollout, reward, store, gateway, or admin (people)',
    )
    .option('--ttl <age>', 'how long it can be used, 1m to 7d', '1h')
    .action(async ({ roles, ttl }: { roles: string; ttl: string }) => {
      const names = roles.split(',').map((name) => name.trim());
      const seconds = BigInt(parseAge(ttl, '--ttl'));
      const answer = await context.withAdmin((admin) => admin.createJoinToken({ roles: names, ttl: { seconds } }));
      const expires = answer.expireTime && timestampDate(answer.expireTime).toISOString();
      context.print({ token: answer.token, roles: names, expires_at: expires }, () => `${answer.token}\n`);
      context.note(`It is for ${names.join(', ')}, once, until ${expires}. On the host: millrace join ADDRESS --token-file FILE`);
    });
}
