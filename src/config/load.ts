import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve as resolvePath } from 'node:path';
import { MillraceError } from '../errors.ts';
import { isOfHome, withHome } from '../files/home.ts';
import type { LlamaSettings } from '../policy/llama/settings.ts';
import { jobConfigSchema, type JobConfig } from './job.ts';
import type { ConfigSource, Environment } from './layers.ts';
import { checkedWhole } from './problems.ts';
import { resolve } from './resolve.ts';
import { readYamlFile } from './yaml-file.ts';

/** Variables with this prefix are part of the job: MILLRACE_JOB__ROLLOUT__GROUPSIZE=8 is rollout.groupSize. */
export const JOB_ENV_PREFIX = 'MILLRACE_JOB__';

/** Options of {@link loadJobConfig}. */
export interface LoadJobOptions {
  /** Default: none, so that a caller says what it reads; the CLI passes process.env. */
  readonly env?: Environment;
  /** `key.path=value` texts, as given with `--set`. */
  readonly overrides?: readonly string[];
  /** Values of named flags by dotted path, e.g. `{ data: '/srv/tasks' }`; undefined ones are skipped. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Folder that paths from the environment and from flags are relative to. Default: the working directory. */
  readonly cwd?: string;
}

/** A job as it will run. */
export interface LoadedJob {
  /** `flow`, `files`, `data`, the modules of `reward`, and the models of `policy` are absolute paths of things that exist. */
  readonly config: JobConfig;
  /** By dotted path, where each value comes from. */
  readonly sources: Record<string, ConfigSource>;
  /** Absolute path of the job file. */
  readonly file: string;
}

/**
 * Reads a job file: defaults < file < environment (`MILLRACE_JOB__…`) < flags. Paths in the file are relative to the file,
 * paths from the environment and flags to the working directory.
 *
 * @throws MillraceError not_found or invalid_argument; the message has a line for each problem, with its place and field.
 */
export function loadJobConfig(path: string, options: LoadJobOptions = {}): LoadedJob {
  const cwd = options.cwd ?? process.cwd();
  const file = resolvePath(cwd, path);
  const yaml = readYamlFile(file);
  const { config, sources } = resolve(jobConfigSchema, { ...options, file: yaml, name: file, envPrefix: JOB_ENV_PREFIX });
  const fromFile = (key: string): boolean => sources[key] === 'file';
  const found = (path: string, key: string, field: string): string => {
    const at = resolvePath(fromFile(key) ? dirname(file) : cwd, path);
    if (existsSync(at)) return at;
    const place = fromFile(key) ? yaml.locate(field.split('.'), 'value') : `${key} (from ${sources[key] ?? 'default'})`;
    throw new MillraceError('not_found', `${place}: ${field}: there is no ${at}`, { field });
  };
  const located: JobConfig = { ...config, flow: found(config.flow, 'flow', 'flow') };
  if (config.files !== undefined) located.files = config.files.map((path, i) => found(path, 'files', `files.${i}`));
  if (config.data !== undefined) located.data = found(config.data, 'data', 'data');
  if (isLlama(config.policy)) {
    const { base, adapter } = config.policy;
    const start = adapter.start && { start: found(adapter.start, 'policy.adapter.start', 'policy.adapter.start') };
    located.policy = {
      ...config.policy,
      ...(base !== undefined && { base: isOfHome(base) ? foundAtHome(base, found) : found(base, 'policy.base', 'policy.base') }),
      adapter: { ...adapter, ...start },
    };
  }
  const components = config.reward.components?.map((component, i) =>
    component.module === undefined
      ? component
      : { ...component, module: found(component.module, 'reward.components', `reward.components.${i}.module`) },
  );
  if (components !== undefined) located.reward = { ...config.reward, components };
  return { config: located, sources, file };
}

/**
 * Checks a job given as JSON text, as in the admin API. Paths are left as they are.
 *
 * @param json - JSON text, or the value it stands for
 * @param name - what to call it in errors
 * @throws MillraceError invalid_argument, in the style of {@link loadJobConfig}.
 */
export function parseJobConfig(json: unknown, name = 'config_json'): JobConfig {
  let value = json;
  if (typeof json === 'string') {
    try {
      value = JSON.parse(json);
    } catch (cause) {
      throw new MillraceError('invalid_argument', `not valid JSON: ${MillraceError.from(cause).message}`, {
        cause,
        field: name,
      });
    }
  }
  return checkedWhole(jobConfigSchema, value, name);
}

/**
 * A job's configuration with other values.
 *
 * @param json - text of a whole configuration
 * @param overrides - `key.path=value` texts
 * @param name - what to call it in errors
 * @throws MillraceError invalid_argument, in the style of {@link loadJobConfig}.
 */
export function changedJobConfig(json: string, overrides: readonly string[], name: string): JobConfig {
  const file = { value: JSON.parse(json) as Record<string, unknown>, locate: () => name };
  return resolve(jobConfigSchema, { file, name, envPrefix: JOB_ENV_PREFIX, overrides }).config;
}

/**
 * Checks the paths of a job that comes without the file they could be relative to, as in the admin API: a relative one would mean another
 * file in each process.
 *
 * @throws MillraceError invalid_argument with the first path that is not absolute.
 */
export function checkJobPaths({ flow, files, data, reward, policy }: JobConfig): void {
  const paths: [field: string, path: string | undefined][] = [
    ['flow', flow],
    ['data', data],
    ...(isLlama(policy) ? modelPaths(policy) : []),
    ...(files ?? []).map((path, i): [string, string] => [`files.${i}`, path]),
    ...(reward.components ?? []).map(({ module }, i): [string, string | undefined] => [`reward.components.${i}.module`, module]),
  ];
  for (const [field, path] of paths) {
    if (path?.includes('\0'))
      throw new MillraceError('invalid_argument', `got ${JSON.stringify(path.slice(0, 80))}, which is no path.`, { field });
    if (path === undefined || isAbsolute(path) || (field === 'policy.base' && isOfHome(path))) continue;
    throw new MillraceError(
      'invalid_argument',
      `got ${JSON.stringify(path.slice(0, 200))}, expected an absolute path: there is no job file here that it could be relative to ` +
        '(`millrace job create FILE` makes the paths of its file absolute).',
      { field },
    );
  }
}

/** What `npm run setup:smollm2` fetches. */
const SMOLLM2 = '~/.cache/millrace/models/SmolLM2-135M-Instruct.Q4_1.gguf';

/** A model in the home folder stays so: each node has its own. */
function foundAtHome(path: string, found: (path: string, key: string, field: string) => string): string {
  try {
    found(withHome(path), 'policy.base', 'policy.base');
    return path;
  } catch (thrown) {
    const { code, message, field } = MillraceError.from(thrown);
    if (code !== 'not_found' || path !== SMOLLM2) throw thrown;
    throw new MillraceError(code, `${message}; \`npm run setup:smollm2\` fetches it (93 MB)`, { field: field! });
  }
}

type LlamaConfig = LlamaSettings & { kind: 'llama' };

function isLlama(policy: JobConfig['policy']): policy is LlamaConfig {
  return policy.kind === 'llama';
}

function modelPaths({ base, adapter }: LlamaConfig): [field: string, path: string | undefined][] {
  return [
    ['policy.base', base],
    ['policy.adapter.start', adapter.start],
  ];
}
