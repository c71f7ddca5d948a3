import { exception } from './exception.ts';
import { checkedFilter } from './filters.ts';

/** URL parameters that are about the request and no settings of a query. */
const OF_THE_REQUEST = new Set([
  'query',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'query_id',
  'session_id',
  'session_timeout',
  'session_check',
  'close_session',
  'role',
  'stacktrace',
  'compress',
  'decompress',
  'client_protocol_version',
  'buffer_size',
  'wait_end_of_query',
  'add_http_cors_header',
]);

/** Settings without a meaning here: taken and left aside, because clients send them to every server. */
const LEFT_ASIDE =
  /^(?:enable_http_compression|http_[a-z_]+|send_progress_in_http_headers|cancel_http_readonly_queries_on_client_disconnect|log_[a-z_]+|send_logs_level|async_insert[a-z_]*|wait_for_async_insert[a-z_]*|insert_quorum[a-z_]*|select_sequential_consistency|load_balancing|distributed_[a-z_]+|database_replicated_[a-z_]+|connect_timeout[a-z_]*|receive_timeout|send_timeout|network_[a-z_]+|priority|use_query_cache)$/;

/**
 * Settings that shape a result or bound its cost. What names files, hosts or another language of queries is not among them:
 * {@link REACHES_OUT} comes first.
 */
const HARMLESS = [
  /^(?:output_format|input_format|format|date_time|cast|bool|cross_to|join|optimize|aggregation|distinct|totals|short_circuit)_[a-z0-9_]+$/,
  /^(?:max|min)_(?:result|rows|bytes|block|threads|execution|memory|columns|ast|expanded|subquery|temporary)[a-z_]*$/,
  /^(?:read|sort|group_by|set|transfer|result|timeout|join|distinct)_overflow_mode[a-z_]*$/,
  /^(?:limit|offset|extremes|cancel_http_readonly_queries_on_client_close|final|session_timezone|join_use_nulls|group_by_use_nulls|union_default_mode|except_default_mode|intersect_default_mode|transform_null_in|any_join_distinct_right_table_keys|prefer_column_name_to_alias|enable_positional_arguments|enable_analyzer|allow_experimental_analyzer|preferred_block_size_bytes|timeout_before_checking_execution_speed|decimal_check_overflow|formatdatetime_[a-z_]+|parsedatetime_[a-z_]+|rows_before_aggregation|empty_result_for_aggregation_by_empty_set|aggregate_functions_null_for_empty|data_type_default_nullable|describe_[a-z_]+|show_table_uuid_in_table_create_query_if_not_nil|exact_rows_before_limit)$/,
  /^(?:allow_(?:experimental|suspicious)_[a-z0-9_]*types?(?:_in_[a-z_]+)?|enable_(?:json|variant|dynamic|time_time64|named_columns)[a-z0-9_]*)$/,
];

const REACHES_OUT = /path|file|schema|registry|url|host|disk|directory|storage|dialect|template/;

/** Numbers that may be asked for only up to a bound. 0 means "without a bound" to ClickHouse, and gets the bound. */
export type SettingBounds = Readonly<Record<string, number>>;

/** How settings are judged. */
export interface SettingRules {
  /** Every setting that the engine knows. */
  known: ReadonlySet<string>;
  bounds: SettingBounds;
  /** Someone who may write may change every setting but those that reach out. */
  mayWrite: boolean;
}

/** Whether a URL parameter is about the request; what is left are settings and `param_*`. */
export const isRequestParameter = (name: string): boolean => OF_THE_REQUEST.has(name) || name.startsWith('param_');

/**
 * The settings that go to the engine. Throws UNKNOWN_SETTING as servers do, and READONLY for those that a reader may not
 * change.
 */
export function checkSettings(given: Iterable<readonly [string, string]>, rules: SettingRules): Record<string, string> {
  const engine: Record<string, string> = {};
  for (const [name, value] of given) {
    if (isRequestParameter(name) || LEFT_ASIDE.test(name)) continue;
    if (!rules.known.has(name)) {
      throw exception(
        'UNKNOWN_SETTING',
        `Setting ${shortName(name)} is neither a builtin setting nor started with the prefix 'SQL_' registered for user-defined settings.`,
      );
    }
    if (name === 'readonly') {
      if (value === '0' && !rules.mayWrite) throw readonly(name);
      continue;
    }
    const filter = checkedFilter(name, value);
    if (filter !== undefined) {
      engine[name] = filter;
      continue;
    }
    const harmless = !REACHES_OUT.test(name) && (rules.mayWrite || HARMLESS.some((pattern) => pattern.test(name)));
    if (!harmless) throw readonly(name);
    engine[name] = bounded(value, rules.bounds[name]);
  }
  return engine;
}

const readonly = (name: string): Error => exception('READONLY', `Cannot modify '${name}' setting in readonly mode.`);

function bounded(value: string, bound: number | undefined): string {
  if (bound === undefined) return value;
  const number = Number(value);
  return Number.isFinite(number) && number > 0 && number <= bound ? value : String(bound);
}

const shortName = (name: string): string => JSON.stringify(name.slice(0, 80)).slice(1, -1);
