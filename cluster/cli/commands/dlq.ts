import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { DeadLetter } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { AdminClient } from '../admin-client.ts';
import type { CliContext } from '../context.ts';

const STREAM = ['--stream <name>', 'only those of this stream: ROLLOUTS, GROUPS, SCORED or EVENTS'] as const;

/** `millrace dlq …`: messages that were given up. */
export function register(program: Command, context: CliContext): void {
  const dlq = program.command('dlq').description('dead letters, with their reasons: list, show, replay');

  dlq
    .command('list')
    .description('dead letters, oldest first')
    .option(...STREAM)
    .option('--limit <count>', 'maximum number of dead letters, 1 to 100000', '50')
    .action(async ({ stream = '', limit }: { stream?: string; limit: string }) => {
      const most = number(limit, '--limit', 100_000);
      const { letters, more } = await context.withAdmin((admin) => listLetters(admin, stream, most));
      const { deadLetterTable } = await import('../dead-letter-view.ts');
      context.print(await Promise.all(letters.map(asJson)), () =>
        letters.length === 0 ? 'no dead letters\n' : deadLetterTable(letters, Date.now()),
      );
      if (more && !context.json) context.note(`there are more; --limit shows them`);
    });

  dlq
    .command('show')
    .description('one dead letter: origin, reason, content')
    .argument('<id>', 'its number in `millrace dlq list`')
    .option('--payload <file>', 'also write the original payload to this file')
    .action(async (id: string, { payload }: { payload?: string }) => {
      const found = await context.withAdmin((admin) => admin.getDeadLetter({ id: BigInt(number(id, '<id>')) }));
      const letter = found.deadLetter;
      if (!letter) throw new MillraceError('internal', 'The server has answered without a letter; is it of another version?');
      if (payload !== undefined) {
        const [{ writeFile }, path] = await Promise.all([import('node:fs/promises'), import('node:path')]);
        await writeFile(path.resolve(context.cwd, payload), letter.payload);
      }
      const { describeDeadLetter } = await import('../dead-letter-view.ts');
      context.print(await asJson(letter), () => describeDeadLetter(letter));
    });

  dlq
    .command('replay')
    .description('publish dead letters again; those that are refused again return under a new number')
    .argument('[id...]', 'numbers in `millrace dlq list`')
    .option('--all', 'all current dead letters', false)
    .option(...STREAM)
    .action(async (given: string[], { all, stream = '' }: { all: boolean; stream?: string }) => {
      if (all === given.length > 0) {
        throw new MillraceError('invalid_argument', 'give the numbers of the letters to replay, or --all.', { field: '<id>' });
      }
      if (!all && stream !== '') {
        throw new MillraceError('invalid_argument', '--stream chooses among --all; a number says which letter it is.', {
          field: '--stream',
        });
      }
      const ids = given.map((id) => BigInt(number(id, '<id>')));
      let replayed = 0;
      await context.withAdmin(async (admin) => {
        for (let pageToken = ''; ;) {
          const page = await admin.replayDeadLetters({ ids, all, stream, pageToken });
          replayed += page.replayed;
          pageToken = page.nextPageToken;
          if (pageToken === '' || context.signal.aborted) return;
        }
      });
      context.print({ replayed }, () => `${replayed} ${replayed === 1 ? 'letter' : 'letters'} replayed\n`);
    });
}

async function listLetters(admin: AdminClient, stream: string, most: number): Promise<{ letters: DeadLetter[]; more: boolean }> {
  const letters: DeadLetter[] = [];
  for (let pageToken = ''; ;) {
    const page = await admin.listDeadLetters({ stream, pageSize: Math.min(1000, most - letters.length), pageToken });
    letters.push(...page.deadLetters);
    pageToken = page.nextPageToken;
    if (pageToken === '' || letters.length >= most) return { letters, more: pageToken !== '' };
  }
}

async function asJson(letter: DeadLetter): Promise<unknown> {
  const [{ toJson }, { DeadLetterSchema }] = await Promise.all([
    import('@bufbuild/protobuf'),
    import('../../../src/gen/millrace/v1/admin_pb.ts'),
  ]);
  return toJson(DeadLetterSchema, letter, { alwaysEmitImplicit: true });
}

function number(text: string, field: string, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? 'of at least 1' : `from 1 to ${most}`;
  throw new MillraceError('invalid_argument', `${field}: got "${text}", expected a whole number ${range}.`, { field });
}
