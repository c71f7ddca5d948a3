/**
 * Tables of database `system` that people may read: what clients browse schemas with, what the engine does, and its documentation.
 * Refused are those that read files, show memory, secrets or users, or ask other machines, and whatever a newer engine adds.
 */
export const ALLOWED_SYSTEM_TABLES: ReadonlySet<string> = new Set(
  `aggregate_function_combinators asynchronous_inserts asynchronous_metrics build_options clusters codecs collations columns completions
  constraints contributors data_skipping_index_types data_skipping_indices data_type_families database_engines databases detached_parts
  dictionaries disks documentation errors events formats functions keywords licenses macros merge_tree_settings merges metrics mutations
  numbers numbers_mt one part_moves_between_shards parts parts_columns primes processes projection_parts projection_parts_columns
  projections replicas replicated_merge_tree_settings replication_queue server_settings settings settings_changes
  storage_policies table_engines table_functions tables time_zones tokenizers unicode view_refreshes warnings zeros zeros_mt`.split(
    /\s+/,
  ),
);

/** Table functions that give only what the query itself or the store holds. `merge` takes the store's own database alone. */
export const ALLOWED_TABLE_FUNCTIONS: ReadonlySet<string> = new Set(
  `numbers numbers_mt zeros zeros_mt primes generateSeries generate_series generateRandom values SQLStandardValues null format view
  merge`.split(/\s+/),
);

/** Engines of tables and databases whose rows are in this store. */
export const ALLOWED_ENGINES: ReadonlySet<string> = new Set(
  `MergeTree ReplacingMergeTree SummingMergeTree AggregatingMergeTree CollapsingMergeTree VersionedCollapsingMergeTree
  CoalescingMergeTree Memory Null Log TinyLog StripeLog Set Join GenerateRandom Atomic View MaterializedView`.split(/\s+/),
);

/** What stands where a function stands in definitions of tables: kinds of indices and statistics, and codecs. */
export const DEFINITION_WORDS: ReadonlySet<string> = new Set(
  `minmax set bloom_filter ngrambf_v1 tokenbf_v1 sparse_grams text vector_similarity hypothesis
  tdigest uniq countmin minmax_statistics
  CODEC NONE LZ4 LZ4HC ZSTD T64 Delta DoubleDelta Gorilla FPC GCD ALP Default`.split(/\s+/),
);
