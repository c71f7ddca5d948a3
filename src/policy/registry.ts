import { z } from 'zod';
import { IN_WORDS } from '../algo/schema/issue-words.ts';
import { MillraceError } from '../errors.ts';
import type { PolicyActor, PolicyKind, PolicySpec } from './kind.ts';
import { llamaKind } from './llama/kind.ts';
import type { FlowOutline } from './plan.ts';
import { plannerKind } from './planner/kind.ts';

/** A kind whose types were erased: only what its own functions returned is given to them. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyPolicyKind = PolicyKind<any, any, any>;

/** Kinds that need no flow module. The first one is the default. */
const BUILT_IN: readonly [typeof plannerKind, ...AnyPolicyKind[]] = [plannerKind, llamaKind];

/** Kind of jobs and checkpoints that name none. */
export const DEFAULT_KIND = plannerKind.name;

const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

const KIND = 'how the policy decides and learns: planner, llama, or a kind that the flow module exports as `policyKinds`';

/** A choice by key wants literals to choose by; this one takes any other text as well. */
const anyText = z.literal('…').catch((context) => (context as { input?: unknown } | undefined)?.input as '…');

/** `policy:` of a kind that a flow module brings. Its settings are checked once the flow is loaded. */
export const broughtPolicySchema = z
  .object({ kind: (anyText as unknown as z.ZodType<string, string>).pipe(z.string().regex(NAME)).describe(KIND) })
  .catchall(z.json());

/** `policy:` of a job: the settings of one kind by `kind`; those of the planner when the block or its kind is absent. */
export const policySchema = z.discriminatedUnion(
  'kind',
  [
    plannerKind.settings.safeExtend({ kind: z.literal(DEFAULT_KIND).default(DEFAULT_KIND).describe(KIND) }),
    llamaKind.settings.safeExtend({ kind: z.literal(llamaKind.name).describe(KIND) }),
    broughtPolicySchema,
  ],
  { unionFallback: true },
);

/** What {@link policySchema} gives. */
export type PolicyConfig = z.infer<typeof policySchema>;

/** The policy kinds of one job by name: the built-in ones and those that its flow module brings. */
export class PolicyKinds {
  readonly #kinds: ReadonlyMap<string, AnyPolicyKind>;

  constructor(kinds: readonly AnyPolicyKind[]) {
    this.#kinds = new Map(kinds.map((kind) => [kind.name, kind]));
  }

  /** Loads the modules that their acting and learning sides need. */
  async load(): Promise<void> {
    for (const kind of this.#kinds.values()) await kind.load?.();
  }

  get names(): string[] {
    return [...this.#kinds.keys()];
  }

  has(name: string): boolean {
    return this.#kinds.has(name);
  }

  /** @throws MillraceError `invalid_argument` (field `policy.kind`) with the names of those that there are */
  get(name: string): AnyPolicyKind {
    const kind = this.#kinds.get(name);
    if (kind !== undefined) return kind;
    throw new MillraceError(
      'invalid_argument',
      `policy.kind: there is no policy kind "${name}"; there are: ${this.names.join(', ')}. ` +
        'A flow module brings kinds of its own by exporting `policyKinds`.',
      { field: 'policy.kind' },
    );
  }

  /** The kind that a specification is of. */
  of(spec: PolicySpec): AnyPolicyKind {
    return this.get(spec.kind);
  }
}

/** Kinds that need no flow module. */
export const builtInKinds = new PolicyKinds(BUILT_IN);

/**
 * The built-in kinds and those that a flow module exports as `policyKinds`.
 * @param origin - what the module is called in messages
 * @throws MillraceError `invalid_argument` (field `policyKinds`) when that is no list of kinds, or a name is taken
 */
export function kindsOf(exported: unknown, origin: string): PolicyKinds {
  if (exported === undefined) return builtInKinds;
  const wrong = (problem: string): MillraceError =>
    new MillraceError('invalid_argument', `${origin}: policyKinds ${problem}`, { field: 'policyKinds' });
  if (!Array.isArray(exported)) throw wrong('must be a list of policy kinds');
  const kinds: AnyPolicyKind[] = [...BUILT_IN];
  exported.forEach((kind: unknown, i) => {
    const problem = problemOf(kind);
    if (problem !== undefined) throw wrong(`[${i}] ${problem}`);
    const { name } = kind as AnyPolicyKind;
    if (kinds.some((other) => other.name === name)) throw wrong(`[${i}]: the name "${name}" is taken`);
    kinds.push(kind as AnyPolicyKind);
  });
  return new PolicyKinds(kinds);
}

/** The acting side of a policy. `invalid_argument` when it does not suit how the kind decides. */
export async function actorOf(kind: AnyPolicyKind, spec: PolicySpec, flow: FlowOutline): Promise<PolicyActor> {
  await kind.load?.(spec);
  const actor = kind.actor(spec, flow) as PolicyActor;
  if ((kind.decides === 'generated') === (actor.read !== undefined)) return actor;
  throw new MillraceError(
    'invalid_argument',
    `policy kind "${kind.name}": \`read\` belongs to the actor of a kind with \`decides: 'generated'\`, and only there`,
    { field: 'policyKinds' },
  );
}

const FUNCTIONS = ['specification', 'difference', 'misfit', 'layout', 'initial', 'actor', 'learner'] as const;

function problemOf(kind: unknown): string | undefined {
  if (typeof kind !== 'object' || kind === null) return 'must be an object';
  const { name, settings } = kind as Partial<AnyPolicyKind>;
  if (typeof name !== 'string' || !NAME.test(name))
    return `needs a name of lower-case letters, digits and "-", at most 40; got ${JSON.stringify(name)}`;
  if (typeof settings?.safeParse !== 'function') return `("${name}"): settings must be a zod schema`;
  const { decides = 'choice' } = kind as Partial<AnyPolicyKind>;
  if (decides !== 'choice' && decides !== 'generated')
    return `("${name}"): decides must be 'choice' or 'generated', got ${JSON.stringify(decides)}`;
  const missing = FUNCTIONS.find((part) => typeof (kind as Partial<AnyPolicyKind>)[part] !== 'function');
  return missing === undefined ? undefined : `("${name}"): ${missing} must be a function`;
}

/**
 * The specification of a job's policy, once the files that its settings name have been read.
 * @throws MillraceError `invalid_argument` with the field of `policy:` that its kind does not accept
 */
export async function specificationOf(
  kind: AnyPolicyKind,
  flow: Parameters<AnyPolicyKind['specification']>[0],
  { kind: _, ...settings }: PolicyConfig,
  needs: Parameters<AnyPolicyKind['specification']>[2],
): Promise<PolicySpec> {
  const parsed = kind.settings.safeParse(settings, IN_WORDS);
  if (parsed.success) {
    const read: unknown = kind.resolve ? await kind.resolve(parsed.data) : parsed.data;
    return kind.specification(flow, read, needs) as PolicySpec;
  }
  const issue = parsed.error.issues[0];
  const field = ['policy', ...(issue?.path.map(String) ?? [])].join('.');
  throw new MillraceError('invalid_argument', `${field}: ${issue?.message ?? 'not valid'} (policy kind "${kind.name}")`, {
    field,
  });
}
