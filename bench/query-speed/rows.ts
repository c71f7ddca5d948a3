/**
 * Rows of a long training, made inside the engine. Everything is a hash of the trajectory's number `t`, so tables agree with
 * each other and every run makes the same rows. The shapes are those of examples/retail: groups of 16 on one of 357 tasks, 8
 * groups a round, 13 steps on average, success and errors that depend on the task and improve with the version.
 */

/** The job that has the rows. */
export const JOB = 'bench';
/** Steps of a trajectory on average. */
export const MEAN_STEPS = 13;
const GROUP = 16;
const GROUPS_PER_ROUND = 8;
const TASKS = 357;
const EVALUATE_EVERY = 25;

/** Tools with the share of the calls and of errors that they have in training. */
const TOOLS: readonly (readonly [name: string, share: number, errors: number])[] = [
  ['get_order', 19, 0.24],
  ['get_product', 11, 0.53],
  ['cancel', 9, 0.78],
  ['modify_items', 9, 0.8],
  ['return', 8, 0.82],
  ['exchange', 8, 0.81],
  ['modify_address', 7, 0.7],
  ['modify_payment', 6, 0.9],
  ['get_user', 6, 0.3],
  ['modify_user_address', 5, 0.75],
  ['auth_email', 4, 0.4],
  ['auth_name_zip', 4, 0.43],
  ['done', 3, 0],
  ['transfer', 1, 0],
];

/** Columns by name, each the expression that makes it. */
export type Columns = Readonly<Record<string, string>>;

/** Rows to make: the trajectories from `first`, `count` of them, of `total` in all. */
export interface Share {
  first: number;
  count: number;
  total: number;
}

const string = (value: string): string => `'${value}'`;
const array = (values: readonly (string | number)[]): string =>
  `[${values.map((value) => (typeof value === 'number' ? value : string(value))).join(', ')}]`;

/** A number in [0, 1) from a hash of `of`. */
const uniform = (of: string): string => `((cityHash64(${of}) % 1000003) / 1000003)`;

/** Rounds, and so policy versions, that `total` trajectories take. */
function versionsOf(total: number): number {
  return Math.max(1, Math.ceil(total / (GROUP * GROUPS_PER_ROUND)));
}

/** What both tables say about a trajectory. */
function trajectoryFields(total: number): Columns {
  return {
    g: `intDiv(t, ${GROUP})`,
    member: `t % ${GROUP}`,
    version: `intDiv(g, ${GROUPS_PER_ROUND})`,
    progress: `version / ${versionsOf(total)}`,
    task: `cityHash64(g, 1) % ${TASKS}`,
    held_out: `version % ${EVALUATE_EVERY} = 0 AND g % ${GROUPS_PER_ROUND} = 0`,
    request: `concat('${JOB}:', if(held_out, 'trained@', ''), toString(version), ':made-', toString(task), '#', toString(g), ':0')`,
    length: `toUInt16(3 + cityHash64(t, 2) % ${2 * (MEAN_STEPS - 3) + 1})`,
    chance: `1 / (1 + exp(3 - 6 * progress - ((cityHash64(task, 3) % 101) - 50) / 25))`,
    won: `${uniform('t, 4')} < chance`,
    broken: `cityHash64(t, 5) % 2000 = 0`,
    begun: `toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalMicrosecond(version * 400000 + cityHash64(t, 6) % 300000)`,
  };
}

/** The columns of `trajectories`, over the fields of a trajectory. */
const TRAJECTORY_COLUMNS: Columns = {
  job: string(JOB),
  trajectory_id: `concat(request, ':', toString(member))`,
  request_id: 'request',
  sequence: 'g',
  member: 'member',
  task_id: `concat('made-', toString(task))`,
  purpose: `if(held_out, 'evaluate', 'train')`,
  evaluation: `if(held_out, concat('trained@', toString(version)), '')`,
  agent: string('policy'),
  policy_version: 'version',
  dispatch_version: `greatest(0, toInt64(version) - toInt64(cityHash64(g, 7) % 2))`,
  steps: 'length',
  tool_errors: `toUInt16(length * (0.6 - 0.4 * progress))`,
  termination: `if(broken, '', if(won, 'done', ['done', 'step_limit', 'no_action'][1 + cityHash64(t, 8) % 3]))`,
  failure: `if(broken, ['tool_timeout', 'flow_crash'][1 + cityHash64(t, 9) % 2], '')`,
  failure_message: `if(broken, concat('the tool took longer than ', toString(cityHash64(t) % 30), ' s'), '')`,
  resamples: 'if(broken, 3, 0)',
  outcome: 'if(won, 1, 0)',
  reward: `if(won, 1, 0) - 0.01 * (length / ${2 * MEAN_STEPS})`,
  advantage: '(if(won, 1, 0) - chance) / sqrt(0.01 + chance * (1 - chance))',
  success: 'won AND NOT broken',
  valid: 'NOT broken',
  verdict: `if(chance < 0.04 OR chance > 0.96, 'no_signal', 'signal')`,
  components: `map('outcome', toFloat32(won), 'progress', toFloat32(${uniform('t, 10')}))`,
  answer: `concat('{"actions":["get_order","cancel"],"order":"#W', toString(cityHash64(t, 11) % 10000000), '"}')`,
  node: `concat('rollout-', toString(1 + g % 2))`,
  reward_node: string('reward-1'),
  dispatched_at: `begun - toIntervalMicrosecond(20000 + cityHash64(t, 12) % 200000)`,
  started_at: 'begun',
  ended_at: `begun + toIntervalMicrosecond(100000 + cityHash64(t, 13) % 700000)`,
  scored_at: `begun + toIntervalMicrosecond(810000 + cityHash64(t, 14) % 150000)`,
};

const THRESHOLDS = TOOLS.map((_, at) => TOOLS.slice(0, at + 1).reduce((sum, [, share]) => sum + share, 0));

/** The columns of `steps`, over the fields of a trajectory and the step's own. */
const STEP_COLUMNS: Columns = {
  job: string(JOB),
  trajectory_id: `concat(request, ':', toString(member))`,
  request_id: 'request',
  task_id: `concat('made-', toString(task))`,
  purpose: `if(held_out, 'evaluate', 'train')`,
  evaluation: `if(held_out, concat('trained@', toString(version)), '')`,
  policy_version: 'version',
  step: 'position',
  tool: `${array(TOOLS.map(([name]) => name))}[tool_at]`,
  items: `if(position = 0, [], [toUInt16(cityHash64(t, position, 20) % position), toUInt16(position)])`,
  arguments: `concat('{"order_id":"#W', toString(cityHash64(g, position, 21) % 10000000), '","reason":"', ['no longer needed', 'ordered by mistake'][1 + cityHash64(t, position, 22) % 2], '"}')`,
  result: `if(failed, concat('Order #W', toString(cityHash64(g, position, 21) % 10000000), ' cannot be changed: find out who the customer is first.'), concat('{"order_id":"#W', toString(cityHash64(g, position, 21) % 10000000), '","status":"', ['pending', 'delivered', 'processed'][1 + cityHash64(g, position, 23) % 3], '","items":[{"item_id":"', toString(cityHash64(g, position, 24) % 10000000000), '","price":', toString((cityHash64(g, position, 25) % 90000) / 100), '}]}'))`,
  error: 'failed',
  log_probability: `toFloat32(log(0.02 + 0.98 * ${uniform('t, position, 26')}) * (1.2 - progress))`,
  entropy: `toFloat32(0.1 + (2.4 - 2 * progress) * ${uniform('t, position, 27')})`,
  open_actions: '8 + cityHash64(t, position, 28) % 17',
  plan_us: `toUInt32(exp(7 + 4 * ${uniform('t, position, 29')}))`,
  tool_us: `toUInt32(exp(1 + 6 * pow(${uniform('t, position, 30')}, 3)))`,
  started_at: `begun + toIntervalMicrosecond(position * 7000)`,
  state_before: `if(position = 0, concat('{"customer":null,"orders":[],"task":', toString(task), '}'), '')`,
  state_after: `if(failed, '', concat('{"customer":"ann_', toString(task), '","orders":["#W', toString(cityHash64(g, position, 21) % 10000000), '"],"task":', toString(task), '}'))`,
  verified: 'NOT failed AND position % 3 = 0',
  other_actions: `arrayMap(i -> concat(${array(TOOLS.map(([name]) => name))}[1 + (tool_at + i) % ${TOOLS.length}], '(', toString(i % 4), ')'), range(8))`,
  other_probabilities: `arrayMap(i -> toFloat32(round(${uniform('t, position, 33, i')} / exp2(i + 1), 4)), range(8))`,
  step_reward: 'if(broken, NULL, if(position = length - 1, if(won, 1, 0), 0))',
  advantage: 'if(broken OR held_out, NULL, (if(won, 1, 0) - chance) / sqrt(0.01 + chance * (1 - chance)))',
};

/** The columns of `updates`, over the version `v` that the round made. */
const UPDATE_COLUMNS: Columns = {
  job: string(JOB),
  version: 'v',
  groups: String(GROUPS_PER_ROUND),
  trained: `${GROUPS_PER_ROUND} - filtered`,
  filtered: 'cityHash64(v, 40) % 5',
  expired: 'cityHash64(v, 41) % 2',
  failed: '0',
  trajectories: String(GROUP * GROUPS_PER_ROUND),
  decisions: String(GROUP * GROUPS_PER_ROUND * MEAN_STEPS),
  reward_mean: `v / versions`,
  success_mean: `v / versions`,
  staleness_mean: '(cityHash64(v, 42) % 100) / 100',
  staleness_max: '1',
  loss: `-0.01`,
  entropy: `2.5 - 2 * v / versions`,
  kl: '0.001',
  clip_fraction: '0.02',
  gradient_norm: '0.7',
  learning_rate: '0.006',
  wait_groups_ms: 'toFloat64(cityHash64(v, 43) % 300)',
  compute_ms: 'toFloat64(cityHash64(v, 44) % 100)',
  commit_ms: 'toFloat64(cityHash64(v, 45) % 20)',
  round_ms: 'toFloat64(cityHash64(v, 46) % 420)',
  learners: '2',
  shards: String(GROUPS_PER_ROUND),
  committed_at: `toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalMillisecond(v * 400)`,
  metrics: `map('ratio', 1.01, 'entropy', 2.5 - 2 * v / versions)`,
};

/** The columns of `exploration`, over a version `v` that was evaluated and one of its rows, `at`. */
const EXPLORATION_COLUMNS: Columns = {
  job: string(JOB),
  version: 'v',
  kind: `if(at < ${TASKS}, 'task', if(at % 2 = 0, 'tool', 'value'))`,
  bucket: `if(at < ${TASKS}, 0, intDiv(at - ${TASKS}, ${2 * TOOLS.length}))`,
  tool: `if(at < ${TASKS}, '', ${array(TOOLS.map(([name]) => name))}[1 + intDiv(at, 2) % ${TOOLS.length}])`,
  task: `if(at < ${TASKS}, concat('made-', toString(at)), '')`,
  n: 'toFloat64(cityHash64(v, at, 50) % 400)',
  mean: uniform('v, at, 51'),
  lower: 'mean * 0.8',
  upper: 'mean * 0.8 + 0.2',
  at: `toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalMillisecond(v * 400)`,
};

/** The columns of `evaluations`, over a version `v` that was evaluated. */
const EVALUATION_COLUMNS: Columns = {
  job: string(JOB),
  name: string('trained'),
  policy_version: 'v',
  tasks: '93',
  successes: 'toUInt32(93 * v / versions)',
  failed: '0',
  mean_reward: 'v / versions',
  mean_steps: String(MEAN_STEPS),
  ci_low: 'greatest(0, v / versions - 0.05)',
  ci_high: 'least(1, v / versions + 0.05)',
  trajectories: `v * ${GROUP * GROUPS_PER_ROUND}`,
  train_seconds: 'v * 0.4',
  evaluated_at: `toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalMillisecond(v * 400)`,
};

/** Outcomes that an experiment has counted. */
const OUTCOMES = 2000;

/** The columns of `experiment_outcomes`, over an outcome's position `n`, from 1: each even one is compared with the one before. */
const OUTCOME_COLUMNS: Columns = {
  job: string(JOB),
  experiment: string('made'),
  ordinal: 'n',
  trajectory_id: `concat('${JOB}:', toString(n % 2), ':serve-', hex(MD5(toString(n))), ':1:0')`,
  agent: string('made'),
  adapter: `concat('${JOB}@', toString(n % 2))`,
  arm: `if(n % 2 = 0, 'candidate', 'champion')`,
  unit: 'substring(hex(MD5(toString(n))), 1, 8)',
  reward: `toFloat64(${uniform('n, 60')} < if(n % 2 = 0, 0.62, 0.6))`,
  paired_with: 'if(n % 2 = 0, n - 1, 0)',
  served_at: `toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(n)`,
  recorded_at: `toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(n + 30)`,
};

/** The columns of `experiment_decisions`, of one row. */
const DECISION_COLUMNS: Columns = {
  ...{ job: string(JOB), experiment: string('made'), agent: string('made') },
  ...{ champion: string(`${JOB}@1`), candidate: string(`${JOB}@0`), kind: string('stop'), decided_by: string('person') },
  ...{ reason: string('the end of the benchmark'), wins: '250', losses: '240', ties: '510', units: String(OUTCOMES) },
  ...{ evidence: '0.06', threshold: '20', alpha: '0.05', decided_at: `toDateTime64('2026-01-01 01:00:00', 6, 'UTC')` },
};

/** Calls through the gateway. */
const CALLS = 20_000;

/** The columns of `calls`, over a call's number `n`. */
const CALL_COLUMNS: Columns = {
  ...{
    job: string(JOB),
    trajectory_id: `concat('${JOB}:session:', toString(intDiv(n, 8)))`,
    call_id: `leftPad(toString(n), 12, '0')`,
  },
  ...{
    session: 'toString(intDiv(n, 8))',
    task_id: 'toString(n % 97)',
    use: string('main'),
    endpoint: string('chat.completions'),
  },
  status: `['completed', 'failed', 'cut', 'started'][1 + least(3, greatest(0, toInt32(n % 101) - 97))]`,
  ...{
    capture: `if(n % 3 = 0, 'tokens', 'text')`,
    upstream: `if(n % 3 = 0, '${JOB}', 'lab')`,
    model: `concat('model-', toString(n % 3))`,
  },
  ...{ streamed: 'n % 2', request: `repeat('{"role":"user"}', 20)`, response: `repeat('{"choices":[]}', 20)` },
  ...{ tokens_in: '500 + n % 1000', tokens_out: 'n % 300', micro_dollars: 'n % 900' },
  ...{ first_byte_us: '20000 + cityHash64(n, 70) % 300000', duration_us: '400000 + cityHash64(n, 71) % 3000000' },
  started_at: `toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(n)`,
  at: `toDateTime64('2026-01-01 00:00:05', 6, 'UTC') + toIntervalSecond(n)`,
};

const aliases = (columns: Columns): string =>
  Object.entries(columns)
    .map(([name, expression]) => `${expression} AS ${name}`)
    .join(',\n    ');

/** Inserts what `columns` makes `from`; only columns that the table has are named, so that others take their defaults. */
function insert(table: string, columns: Columns, known: ReadonlySet<string>, from: string): string {
  const used = Object.entries(columns).filter(([name]) => known.has(name));
  return `INSERT INTO ${table} (${used.map(([name]) => name).join(', ')}) SELECT\n    ${used
    .map(([, expression]) => expression)
    .join(',\n    ')}\nFROM (${from})`;
}

/** What makes `share` of the trajectories and their steps, given the columns that the tables have. */
export function trajectoryStatements({ first, count, total }: Share, known: (table: string) => ReadonlySet<string>): string[] {
  const fields = `SELECT number AS t, ${aliases(trajectoryFields(total))} FROM numbers(${first}, ${count})`;
  const steps = `SELECT *, position, arrayFirstIndex(limit -> limit > cityHash64(t, position, 31) % 100, ${array(THRESHOLDS)}) AS tool_at,
    ${uniform('t, position, 32')} < ${array(TOOLS.map(([, , errors]) => errors))}[tool_at] * (1 - 0.6 * progress) AS failed
    FROM (${fields}) ARRAY JOIN range(length) AS position`;
  return [
    insert('steps', STEP_COLUMNS, known('steps'), steps),
    insert('trajectories', TRAJECTORY_COLUMNS, known('trajectories'), fields),
  ];
}

/** What makes the rows of rounds, evaluations, exploration, an experiment and calls. */
export function roundStatements(total: number, known: (table: string) => ReadonlySet<string>): string[] {
  const versions = versionsOf(total);
  const evaluated = `SELECT number * ${EVALUATE_EVERY} AS v, ${versions} AS versions FROM numbers(${Math.ceil(versions / EVALUATE_EVERY)})`;
  const explored = `SELECT v, number AS at, ${uniform('v, at, 51')} AS mean FROM (${evaluated}) AS e CROSS JOIN numbers(${TASKS + 7 * 2 * TOOLS.length}) AS n`;
  return [
    insert(
      'updates',
      UPDATE_COLUMNS,
      known('updates'),
      `SELECT number + 1 AS v, ${versions} AS versions, cityHash64(v, 40) % 5 AS filtered FROM numbers(${versions})`,
    ),
    insert('evaluations', EVALUATION_COLUMNS, known('evaluations'), evaluated),
    insert('exploration', EXPLORATION_COLUMNS, known('exploration'), explored),
    insert(
      'experiment_outcomes',
      OUTCOME_COLUMNS,
      known('experiment_outcomes'),
      `SELECT number + 1 AS n FROM numbers(${OUTCOMES})`,
    ),
    insert('experiment_decisions', DECISION_COLUMNS, known('experiment_decisions'), 'SELECT 1'),
    insert('calls', CALL_COLUMNS, known('calls'), `SELECT number AS n FROM numbers(${CALLS})`),
  ];
}
