import { z } from 'zod';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import { adapterSchema } from '../../src/jobs/adapters/registry.ts';
import { AGENTS } from '../../src/protocol/names.ts';

/** What names an agent. */
export const AGENT_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

const FORMAT = 1;

const agentSchema = z.object({
  format: z.literal(FORMAT).default(FORMAT),
  name: z.string().regex(AGENT_NAME),
  /** Digest of the bundle that its jobs run. */
  bundle: z.string().regex(/^[0-9a-f]{64}$/),
  /** Name of the flow in it. */
  flow: z.string(),
  /** The flow makes tasks of queries. */
  takesQueries: z.boolean(),
  /** `<job>@<version>`; empty until something is promoted. */
  servedVersion: z.string().default(''),
  /** Its published policies, oldest first; `servedVersion` is the name of the live one. */
  adapters: z.array(adapterSchema).default([]),
  /** Names of those that were live before, the newest last. */
  history: z.array(z.string()).default([]),
  /** Id of the experiment that has its tasks; empty when none does. */
  experiment: z.string().default(''),
  owner: z.string(),
  /** Unix milliseconds. */
  createdAt: z.int(),
  updatedAt: z.int(),
});

/** A flow that is registered under a name, as bucket `agents` keeps it. */
export type AgentRecord = z.infer<typeof agentSchema>;

/** What a registration says. */
export type Registration = Pick<AgentRecord, 'name' | 'bundle' | 'flow' | 'takesQueries' | 'owner'>;

/** The registered agents. */
export interface AgentDirectory {
  /** Registers or replaces; what is published and served stays. `data_loss` when its record is damaged. */
  register(agent: Registration): Promise<AgentRecord>;
  /** Compare-and-set: `change` gets the newest record and returns the new one, or the same to leave it. Errors are those of `get`. */
  update(name: string, change: (agent: AgentRecord) => AgentRecord): Promise<AgentRecord>;
  /** `not_found` when there is none, `data_loss` when its record is damaged. */
  get(name: string): Promise<AgentRecord>;
  /** By name. What cannot be read is left out: `millrace doctor` shows it. */
  list(): Promise<AgentRecord[]>;
}

const MAX_ATTEMPTS = 20;

/** The agents in bucket `agents`. */
export function agentDirectory({ bus, clock }: { bus: Bus; clock: Clock }): AgentDirectory {
  const kv = () => bus.kv(AGENTS);
  const encode = (agent: AgentRecord): Uint8Array => Buffer.from(JSON.stringify(agent));
  const change = async (name: string, next: (before: AgentRecord | undefined) => AgentRecord): Promise<AgentRecord> => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const found = await kv().get(name);
      const before = found && decodeAgent(name, found.value);
      const after = next(before);
      if (after === before) return after;
      try {
        if (found) await kv().update(name, encode(after), found.revision);
        else await kv().create(name, encode(after));
        return after;
      } catch (thrown) {
        const { code } = MillraceError.from(thrown);
        if (code !== 'aborted' && code !== 'already_exists') throw thrown;
      }
    }
    throw new MillraceError('aborted', `Agent "${name}" kept changing while it was being changed; try again.`);
  };
  return {
    register: (agent) =>
      change(agent.name, (before) => {
        const now = Math.round(clock.now());
        const nothing = { servedVersion: '', adapters: [], history: [], experiment: '', createdAt: now };
        return { ...(before ?? nothing), ...agent, format: FORMAT, updatedAt: now };
      }),
    update: (name, next) =>
      change(name, (before) => {
        if (before !== undefined) return next(before);
        throw missing(name);
      }),
    async get(name) {
      const found = await kv().get(name);
      if (found) return decodeAgent(name, found.value);
      throw missing(name);
    },
    async list() {
      const found = await Promise.all((await kv().keys()).sort().map((key) => kv().get(key)));
      return found.flatMap((entry) => {
        try {
          return entry ? [decodeAgent(entry.key, entry.value)] : [];
        } catch {
          return [];
        }
      });
    },
  };
}

function missing(name: string): MillraceError {
  const message = `There is no agent "${name}"; \`millrace agent register NAME FLOW\` makes one, \`millrace agent list\` shows them.`;
  return new MillraceError('not_found', message, { field: 'agent' });
}

/** Reads the record of an agent. `failed_precondition` when a newer version wrote it, `data_loss` when it is damaged. */
export function decodeAgent(name: string, bytes: Uint8Array): AgentRecord {
  const place = `${AGENTS}/${name}`;
  const damaged = (cause?: unknown): MillraceError => {
    const remedy = `\`millrace doctor --remove ${place}\` takes it away, then register the agent again.`;
    return new MillraceError('data_loss', `The record of agent "${name}" cannot be read; ${remedy}`, { cause, field: 'agent' });
  };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(cause);
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format > FORMAT) {
    const message = `The record of agent "${name}": a newer version of Millrace wrote it (format ${format}): upgrade.`;
    throw new MillraceError('failed_precondition', message, { field: 'agent' });
  }
  const parsed = agentSchema.safeParse(value);
  if (!parsed.success) throw damaged(parsed.error);
  if (parsed.data.name !== name) throw damaged(new Error(`it is agent "${parsed.data.name}", under another key`));
  return parsed.data;
}
