import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { RegisteredAgent } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { CliContext } from '../context.ts';
import { registerSolve } from './agent-solve.ts';
import { register as registerRun } from './run.ts';

/** `millrace agent`: flows that are registered under a name. */
export function register(program: Command, context: CliContext): void {
  const agent = program.command('agent').description('flows that are registered under a name');
  const print = async (agents: readonly RegisteredAgent[], json: (all: unknown[]) => unknown): Promise<void> => {
    const [{ toJson }, { RegisteredAgentSchema }, { ago }, { table }] = await Promise.all([
      import('@bufbuild/protobuf'),
      import('../../../src/gen/millrace/v1/admin_pb.ts'),
      import('../format.ts'),
      import('../table.ts'),
    ]);
    const now = Date.now();
    const rows = agents.map((one) => [
      one.name,
      one.flow,
      one.owner,
      one.servedVersion === '' ? '-' : one.servedVersion,
      one.takesQueries ? 'yes' : 'no',
      ago(one.updateTime, now),
      one.bundleDigest.slice(0, 12),
    ]);
    context.print(json(agents.map((one) => toJson(RegisteredAgentSchema, one, { alwaysEmitImplicit: true }))), () =>
      table(['AGENT', 'FLOW', 'OWNER', 'SERVED', 'QUERIES', 'UPDATED', 'BUNDLE'], rows, {}),
    );
  };
  agent
    .command('register')
    .description('bundle a flow, upload it, and name it; the same name again replaces what it runs')
    .argument('<name>', 'lower-case letters, digits and "-", at most 40')
    .argument('<flow>', "the flow's module")
    .option('--data <folder or file>', 'task data that is bundled with it')
    .option('--owner <name>', 'who it belongs to', 'local')
    .action(async (name: string, flow: string, { data, owner }: { data?: string; owner: string }) => {
      const { uploadFlow } = await import('../../../src/client/upload.ts');
      const source = { flow: resolve(context.cwd, flow), ...(data !== undefined && { data: resolve(context.cwd, data) }) };
      const registered = await context.withAdmin(async (admin) => {
        const { bundle } = await uploadFlow(admin, source, { signal: context.signal });
        return (await admin.registerAgent({ name, bundleDigest: bundle, owner }, { timeoutMs: 60_000 })).agent!;
      });
      await print([registered], ([one]) => one);
      if (!registered.takesQueries) context.note('its flow has no fromQuery: jobs of it train on its own tasks');
    });
  agent
    .command('list')
    .description('all agents, by name')
    .action(async () => print((await context.withAdmin((admin) => admin.listAgents({}))).agents, (all) => all));
  agent
    .command('show')
    .description('one agent: its flow, bundle, owner and served version')
    .argument('<name>', 'agent')
    .action(async (name: string) => {
      const found = await context.withAdmin(async (admin) => (await admin.getAgent({ name })).agent!);
      await print([found], ([one]) => one);
    });
  registerSolve(agent, context);
  registerRun(agent, context);
}
