import { dirname, join } from 'node:path';
import { MillraceError } from '../../../src/errors.ts';
import { isMissing, type Files } from '../../../src/files/files.ts';
import type { Adapter } from '../../../src/jobs/adapters/registry.ts';
import { AGENTS } from '../../../src/protocol/names.ts';
import { agentDirectory, type AgentRecord } from '../../jobs/agents.ts';
import type { NodeContext } from '../../runtime/context.ts';

type Context = Pick<NodeContext, 'bus' | 'clock' | 'files' | 'log' | 'stateDir'>;

/** Where the published policies are written for people and other programs. */
const registryPath = (stateDir: string): string => join(stateDir, 'adapters', 'adapter_registry.json');

/**
 * Writes the published policies of all agents to `adapters/adapter_registry.json` of the state folder, after every change, until it is stopped. The file
 * is replaced in one step. Nobody here reads it. Its fields: docs/experiments.md.
 */
export async function keepRegistryFile(context: Context): Promise<() => Promise<void>> {
  const { bus, clock, files, log, stateDir } = context;
  const agents = agentDirectory({ bus, clock });
  let wanted = false;
  let writing: Promise<void> = Promise.resolve();
  let stopped = false;
  const write = async (): Promise<void> => {
    if (!wanted || stopped) return;
    wanted = false;
    try {
      await replaceFile(files, registryPath(stateDir), registryText(await agents.list()));
    } catch (thrown) {
      log.warn(
        { err: MillraceError.from(thrown) },
        'adapters/adapter_registry.json could not be written; the next change tries again',
      );
    }
  };
  const stop = await bus.kv(AGENTS).watch('>', () => {
    wanted = true;
    writing = writing.then(write);
  });
  return async () => {
    stopped = true;
    stop();
    await writing;
  };
}

/** What the file says of these agents. */
function registryText(agents: readonly AgentRecord[]): string {
  const listed = agents.filter(({ adapters }) => adapters.length > 0);
  const served = Object.fromEntries(
    listed.map(({ name, servedVersion, experiment }) => [name, { live: servedVersion, experiment }]),
  );
  const adapters = listed.flatMap((agent) => agent.adapters.map((adapter) => entryOf(agent, adapter)));
  return `${JSON.stringify({ format: 1, agents: served, adapters }, undefined, 2)}\n`;
}

function entryOf({ name: agent, flow }: AgentRecord, adapter: Adapter): object {
  const { name, job, version, status, checkpoint, code = '', parent, owner, validation, test, publishedAt, updatedAt } = adapter;
  return {
    ...{ agent, flow, version: name, job, policy_version: version, status, checkpoint_digest: checkpoint, code_digest: code },
    ...{
      parent,
      owner,
      metrics: { ...(validation && { validation: inSnake(validation) }), ...(test && { test: inSnake(test) }) },
    },
    ...{ published_at: new Date(publishedAt).toISOString(), updated_at: new Date(updatedAt).toISOString() },
  };
}

function inSnake({ meanReward, meanSteps, ...rest }: NonNullable<Adapter['validation']>): object {
  return { ...rest, mean_reward: meanReward, mean_steps: meanSteps };
}

/** Puts a file in the place of another one, or of none, in one step. What is the same stays as it is. */
async function replaceFile(files: Files, path: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  const before = await files.read(path).catch((thrown: unknown) => {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  });
  if (before !== undefined && Buffer.from(before).equals(bytes)) return;
  const folder = dirname(path);
  await files.makeFolder(folder);
  const draft = `${path}.${files.uniqueName()}.tmp`;
  const file = await files.create(draft);
  try {
    await file.write(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(draft, path);
  await files.syncFolder(folder);
}
