import { existsSync } from 'node:fs';
import { dirname, resolve as resolvePath } from 'node:path';
import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import type { SearchPlan } from './search.ts';
import { MAX_OBSERVATIONS } from './suggest.ts';
import type { Parameter, Space, Value, Values } from './space.ts';
import { jobConfigSchema, type JobConfig } from '../config/job.ts';
import type { Assignment } from '../config/layers.ts';
import { JOB_ENV_PREFIX, loadJobConfig, type LoadJobOptions } from '../config/load.ts';
import { check } from '../config/problems.ts';
import { resolve } from '../config/resolve.ts';
import { readYamlFile, type YamlFile } from '../config/yaml-file.ts';

/** Two ends of a range, of which the lower one comes first and is at least `least`. */
const range = (least: number, expected: string) =>
  z.json().refine(
    (value): value is [number, number] => {
      if (!Array.isArray(value) || value.length !== 2) return false;
      const [low, high] = value;
      return typeof low === 'number' && typeof high === 'number' && low < high && low >= least;
    },
    { error: `[low, high]: ${expected}` },
  );

const parameterSchema = z
  .strictObject({
    linear: range(-Infinity, 'two numbers, the lower one first').optional(),
    log: range(Number.MIN_VALUE, 'two numbers greater than 0, the lower one first').optional(),
    choices: z
      .json()
      .refine(
        (value) =>
          Array.isArray(value) &&
          value.length >= 2 &&
          value.every((choice) => ['number', 'string', 'boolean'].includes(typeof choice)) &&
          new Set(value).size === value.length,
        { error: 'a list of at least two values, each once' },
      )
      .optional(),
  })
  .superRefine((parameter, context) => {
    if (Object.values(parameter).filter((value) => value !== undefined).length === 1) return;
    context.addIssue({
      code: 'custom',
      input: parameter,
      message: 'one of linear: [low, high], log: [low, high], choices: [a, b, …]',
    });
  });

/** What tune.yaml holds. Unknown keys are errors. */
const tuneConfigSchema = z
  .strictObject({
    job: z.string().min(1).describe('path of the job file, relative to this file'),
    parameters: z
      .record(z.string(), parameterSchema)
      .refine((parameters) => Object.keys(parameters).length > 0, { error: 'at least one parameter, by its path in the job' })
      .describe('what is searched, by path in the job'),
    objective: z
      .json()
      .superRefine((value, context) => {
        if (value === 'held-out-success' || targetOf(value) !== undefined) return;
        context.addIssue({
          code: 'custom',
          input: value,
          message: 'held-out-success, or { trajectories-to: share } with a share greater than 0 and at most 1',
        });
      })
      .default('held-out-success')
      .describe('held-out-success, or the fewest trajectories until a share of it: { trajectories-to: 0.85 }'),
    trials: z.int().min(1).max(MAX_OBSERVATIONS).describe('trials in all'),
    seed: z.int().min(0).max(0xffffffff).default(1).describe("seed of the search; the jobs' own is in the job file"),
    initial: z
      .int()
      .min(1)
      .max(MAX_OBSERVATIONS)
      .optional()
      .describe('trials before the model is asked; default: two a parameter, at least 3, at most half of the trials'),
    halving: z
      .strictObject({
        rounds: z
          .array(z.int().min(1).max(10_000_000))
          .min(1)
          .refine((rounds) => rounds.every((round, i) => i === 0 || round > rounds[i - 1]!), { error: 'rounds, ascending' })
          .describe('where trials are compared, in rounds; the last one is a whole trial'),
        keep: z.number().gt(0).max(1).default(0.5).describe('share of the trials that go on'),
      })
      .optional()
      .describe('stops the losers early; without it every trial runs as many rounds as the job has'),
  })
  .superRefine(({ trials, initial }, context) => {
    if (initial === undefined || initial <= trials) return;
    context.addIssue({
      code: 'custom',
      path: ['initial'],
      input: initial,
      message: `at most the ${trials} trials that there are`,
    });
  });

/** Parts of the job that must be the same in all trials, or their figures would mean different things. */
const FIXED = ['name', 'flow', 'data', 'source', 'seed', 'split', 'rounds', 'evaluation', 'checkpoint'];

/** A search that was read and checked. */
export interface LoadedTune {
  plan: SearchPlan;
  /** The job as it is without any search. */
  job: JobConfig;
  /** The job's own values of the parameters. */
  own: Record<string, unknown>;
  /** The job with other values of the parameters. @throws MillraceError invalid_argument when they do not go together. */
  jobWith: (values: Values) => JobConfig;
}

/**
 * Reads a tune file and the job it names, and checks every parameter's ends and choices against what the job may have.
 *
 * @throws MillraceError not_found or invalid_argument with `file:line`, the field, and what is allowed
 */
export function loadTuneConfig(path: string, options: LoadJobOptions = {}): LoadedTune {
  const cwd = options.cwd ?? process.cwd();
  const file = resolvePath(cwd, path);
  const yaml = readYamlFile(file);
  const config = check(tuneConfigSchema, yaml.value, file, (at, what) => yaml.locate(at, what));
  const jobFile = resolvePath(dirname(file), config.job);
  if (!existsSync(jobFile)) {
    throw new MillraceError('not_found', `${yaml.locate(['job'], 'value')}: job: there is no ${jobFile}`, { field: 'job' });
  }
  const { config: job } = loadJobConfig(jobFile, options);
  const jobYaml = readYamlFile(jobFile);
  const place = (parameter: string): string => yaml.locate(['parameters', parameter], 'key');
  const jobWith = (values: Values): JobConfig =>
    assembled({ file: jobYaml, name: jobFile, job, options: { ...options, cwd } }, values, place);

  const space: Record<string, Parameter> = {};
  for (const [parameter, written] of Object.entries(config.parameters)) {
    const [top] = parameter.split('.');
    if (top !== undefined && FIXED.includes(top)) {
      throw new MillraceError(
        'invalid_argument',
        `${place(parameter)}: parameters: "${parameter}" cannot be searched: ${top} is the same in all trials`,
        { field: `parameters.${parameter}` },
      );
    }
    space[parameter] = checkedParameter(parameter, written, jobWith);
  }
  const halving = config.halving ?? { rounds: [job.rounds], keep: 1 };
  return { plan: planOf(config, space, halving), job, own: ownValues(job, Object.keys(space)), jobWith };
}

type TuneConfig = z.infer<typeof tuneConfigSchema>;

function planOf(config: TuneConfig, space: Space, halving: SearchPlan['halving']): SearchPlan {
  const { trials, seed } = config;
  const target = targetOf(config.objective);
  const usual = Math.min(Math.max(3, 2 * Object.keys(space).length), Math.ceil(trials / 2));
  return {
    space,
    objective: target === undefined ? { kind: 'held-out-success' } : { kind: 'trajectories-to', target },
    trials,
    initial: config.initial ?? usual,
    seed,
    halving,
  };
}

/** The share in `{ trajectories-to: share }`. */
function targetOf(objective: unknown): number | undefined {
  if (typeof objective !== 'object' || objective === null || Object.keys(objective).join() !== 'trajectories-to')
    return undefined;
  const target = (objective as Record<string, unknown>)['trajectories-to'];
  return typeof target === 'number' && target > 0 && target <= 1 ? target : undefined;
}

function checkedParameter(
  path: string,
  written: z.infer<typeof parameterSchema>,
  jobWith: (values: Values) => JobConfig,
): Parameter {
  if (written.choices !== undefined) {
    const choices = written.choices as Value[];
    for (const choice of choices) jobWith({ [path]: choice });
    return { kind: 'choices', choices };
  }
  const kind = written.log === undefined ? 'linear' : 'log';
  const [low, high] = (written.log ?? written.linear) as [number, number];
  for (const end of [low, high]) jobWith({ [path]: end });
  return { kind, low, high, integer: isWhole(path, low, high, jobWith) };
}

/** Whether the job takes whole numbers only: it takes both ends, and no fraction in between. */
function isWhole(path: string, low: number, high: number, jobWith: (values: Values) => JobConfig): boolean {
  if (!Number.isInteger(low) || !Number.isInteger(high)) return false;
  try {
    jobWith({ [path]: Math.floor((low + high) / 2) + 0.5 });
    return false;
  } catch {
    return true;
  }
}

/** The job file with other values put in where its own are, so that what it leaves out has the defaults that go with them. */
function assembled(
  { file, name, job, options }: { file: YamlFile; name: string; job: JobConfig; options: LoadJobOptions },
  values: Values,
  place: (parameter: string) => string,
): JobConfig {
  const assigned = Object.entries(values).map(([path, value]): Assignment => ({
    path: path.split('.'),
    value,
    source: 'flag',
    origin: place(path),
  }));
  const flags = { ...options.flags, flow: job.flow, data: job.data };
  return resolve(jobConfigSchema, { ...options, flags, file, name, envPrefix: JOB_ENV_PREFIX, assigned }).config;
}

function ownValues(job: JobConfig, paths: readonly string[]): Record<string, unknown> {
  const at = (path: string): unknown =>
    path.split('.').reduce<unknown>((section, key) => (section as Record<string, unknown> | undefined)?.[key], job);
  return Object.fromEntries(paths.map((path) => [path, at(path)]));
}
