import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { Adapter } from '../../../src/gen/millrace/v1/adapters_pb.ts';
import type { AdminClient } from '../admin-client.ts';
import type { CliContext } from '../context.ts';
import { ownerFields } from '../owner-options.ts';

const VERSION = '<job>@<version>';
/** The flow of the job may have to be loaded, to see that it is that of the agent. */
const PUBLISH_MS = 60_000;

/** `millrace adapter …`: the published policies of agents. */
export function register(program: Command, context: CliContext): void {
  const adapter = program.command('adapter').description('published policies of agents: what is served, and what may be');
  adapter
    .command('publish')
    .description('publish a version of a job for an agent; the first one of an agent is live at once')
    .argument('<agent>', 'registered agent')
    .argument('<job[@version]>', 'job, with the best checkpoint on its validation tasks unless a version is named')
    .option('--live', 'make it live')
    .option('--owner <name>', 'who publishes it (default: MILLRACE_OWNER, or local)')
    .action(async (agent: string, version: string, { live = false, owner }: { live?: boolean; owner?: string }) => {
      const request = { agent, version, live, owner: ownerFields({ ...(owner !== undefined && { owner }) }, context.env).owner };
      await show(context, (admin) => admin.publishAdapter(request, { timeoutMs: PUBLISH_MS }), 'published');
    });
  adapter
    .command('list')
    .description('published policies, of one agent or of all')
    .argument('[agent]', 'registered agent')
    .action(async (agent: string | undefined) => {
      const { adapters } = await context.withAdmin((admin) => admin.listAdapters({ agent: agent ?? '' }));
      const { adapterJson, adapterTable } = await import('../adapter-view.ts');
      context.print(adapters.map(adapterJson), () => adapterTable(adapters, Date.now()));
    });
  adapter
    .command('show')
    .description('one published policy: figures, lineage, digests')
    .argument('<agent>', 'registered agent')
    .argument(`[version]`, `${VERSION}; the live one unless it is named`)
    .action((agent: string, version: string | undefined) =>
      show(context, (admin) => admin.getAdapter({ agent, version: version ?? '' })),
    );
  adapter
    .command('promote')
    .description('make a published policy live')
    .argument('<agent>', 'registered agent')
    .argument('<version>', VERSION)
    .action((agent: string, version: string) => show(context, (admin) => admin.promoteAdapter({ agent, version }), 'live'));
  adapter
    .command('rollback')
    .description('make the policy live that was so before the present one')
    .argument('<agent>', 'registered agent')
    .option('--from <version>', `${VERSION} that is live and is not to be; where another one is live, nothing is done`)
    .action((agent: string, { from = '' }: { from?: string }) =>
      show(context, (admin) => admin.rollBackAdapter({ agent, version: from }), 'live'),
    );
}

/** Prints the policy that a call answers with: all of it, or its state in a word. */
async function show(
  context: CliContext,
  call: (admin: AdminClient) => Promise<{ adapter?: Adapter | undefined }>,
  word?: string,
): Promise<void> {
  const { adapter } = await context.withAdmin(call);
  if (!adapter) throw new MillraceError('internal', 'The server has answered without a policy; is it of another version?');
  const { adapterJson, describeAdapter } = await import('../adapter-view.ts');
  context.print(adapterJson(adapter), () =>
    word === undefined ? describeAdapter(adapter) : `${adapter.version} of agent ${adapter.agent} is ${word}\n`,
  );
}
