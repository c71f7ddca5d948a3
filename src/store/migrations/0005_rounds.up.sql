-- Steps and trajectories in the order of training (docs/adr/0033-rows-in-the-order-of-rounds.md).
--
-- `round` is read from the id: of `<job>:<round>:<task>:<attempt>:<member>` the round, of an evaluation (`trained@40`) the version.
-- Since it follows from the natural key, twins have the same one. Rows come in its order, so that parts hardly overlap: FINAL
-- merges where they do and reads everything else as it is. Ids of another shape are in round 0, which only costs time.
--
-- A job is a partition: it is dropped at once, an ended job's parts are never merged again, and parts of two jobs never overlap.
--
-- Every table is made anew and put in the place of the old one, so that each statement may be repeated after a crash: what is
-- left of an attempt is dropped first, and a copy of the table that is in place already is a copy.
DROP TABLE IF EXISTS steps_anew SYNC;

CREATE TABLE IF NOT EXISTS steps_anew
(
    job LowCardinality(String) CODEC(ZSTD(1)),
    trajectory_id String CODEC(ZSTD(3)),
    request_id LowCardinality(String) CODEC(ZSTD(1)),
    task_id LowCardinality(String) CODEC(ZSTD(1)),
    purpose LowCardinality(String) CODEC(ZSTD(1)),
    evaluation LowCardinality(String) CODEC(ZSTD(1)),
    policy_version UInt32 CODEC(ZSTD(1)),
    step UInt16 CODEC(ZSTD(1)),
    tool LowCardinality(String) CODEC(ZSTD(1)),
    items Array(UInt16) CODEC(ZSTD(1)),
    -- The members of a group mostly ask the same and are told the same: a dictionary holds each text once.
    arguments LowCardinality(String) CODEC(ZSTD(1)),
    result LowCardinality(String) CODEC(ZSTD(1)),
    error Bool CODEC(ZSTD(1)),
    log_probability Float32 CODEC(ZSTD(1)),
    entropy Float32 CODEC(ZSTD(1)),
    open_actions UInt16 CODEC(ZSTD(1)),
    plan_us UInt32 CODEC(T64, ZSTD(1)),
    tool_us UInt32 CODEC(T64, ZSTD(1)),
    started_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    -- Vectors travel as base64: float32, little endian.
    state_flags_base64 String EPHEMERAL '',
    state_flags Array(Float32) DEFAULT reinterpret(base64Decode(state_flags_base64), 'Array(Float32)') CODEC(ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(ZSTD(1)),
    round UInt32 MATERIALIZED toUInt32OrZero(splitByChar('@', splitByChar(':', trajectory_id)[2])[-1]) CODEC(ZSTD(1)),
    INDEX by_trajectory trajectory_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY job
ORDER BY (job, round, trajectory_id, step)
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO steps_anew
(
    job, trajectory_id, request_id, task_id, purpose, evaluation, policy_version, step, tool, items, arguments, result, error,
    log_probability, entropy, open_actions, plan_us, tool_us, started_at, state_flags, ingested_at
)
SELECT
    job, trajectory_id, request_id, task_id, purpose, evaluation, policy_version, step, tool, items, arguments, result, error,
    log_probability, entropy, open_actions, plan_us, tool_us, started_at, state_flags, ingested_at
FROM steps
SETTINGS max_partitions_per_insert_block = 0, max_threads = 1, max_insert_threads = 1, async_insert = 0;

EXCHANGE TABLES steps_anew AND steps;

DROP TABLE IF EXISTS steps_anew SYNC;

DROP TABLE IF EXISTS trajectories_anew SYNC;

CREATE TABLE IF NOT EXISTS trajectories_anew
(
    job LowCardinality(String) CODEC(ZSTD(1)),
    trajectory_id String CODEC(ZSTD(3)),
    request_id LowCardinality(String) CODEC(ZSTD(1)),
    sequence UInt64 CODEC(ZSTD(1)),
    member UInt16 CODEC(ZSTD(1)),
    task_id LowCardinality(String) CODEC(ZSTD(1)),
    purpose LowCardinality(String) CODEC(ZSTD(1)),
    evaluation LowCardinality(String) CODEC(ZSTD(1)),
    agent LowCardinality(String) CODEC(ZSTD(1)),
    policy_version UInt32 CODEC(ZSTD(1)),
    dispatch_version UInt32 CODEC(ZSTD(1)),
    steps UInt16 CODEC(ZSTD(1)),
    tool_errors UInt16 CODEC(ZSTD(1)),
    termination LowCardinality(String) CODEC(ZSTD(1)),
    failure LowCardinality(String) CODEC(ZSTD(1)),
    failure_message LowCardinality(String) CODEC(ZSTD(1)),
    resamples UInt16 CODEC(ZSTD(1)),
    outcome Float32 CODEC(ZSTD(1)),
    reward Float32 CODEC(ZSTD(1)),
    advantage Float32 CODEC(ZSTD(1)),
    success Bool CODEC(ZSTD(1)),
    valid Bool CODEC(ZSTD(1)),
    verdict LowCardinality(String) CODEC(ZSTD(1)),
    components Map(LowCardinality(String), Float32) CODEC(ZSTD(1)),
    answer LowCardinality(String) CODEC(ZSTD(1)),
    node LowCardinality(String) CODEC(ZSTD(1)),
    reward_node LowCardinality(String) CODEC(ZSTD(1)),
    dispatched_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    started_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    ended_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    scored_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    -- What the flow says the task is, for `success by task type`; empty where it says nothing.
    task_type LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    -- Sums over the steps. Where a row comes without them, they are 0.
    plan_us UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)),
    tool_us UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)),
    -- What tools and reward say they used; 0 where they say nothing. The cost is in whatever currency they use.
    tokens_in UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)),
    tokens_out UInt64 DEFAULT 0 CODEC(T64, ZSTD(1)),
    cost Float64 DEFAULT 0 CODEC(ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(ZSTD(1)),
    round UInt32 MATERIALIZED toUInt32OrZero(splitByChar('@', splitByChar(':', trajectory_id)[2])[-1]) CODEC(ZSTD(1)),
    INDEX by_trajectory trajectory_id TYPE bloom_filter(0.01) GRANULARITY 1,
    -- Rows of builds before this one end at scored_at and are taken; shorter ones are not.
    CONSTRAINT complete CHECK node != '' OR reward_node != '' OR toUnixTimestamp64Micro(scored_at) != 0
)
ENGINE = ReplacingMergeTree(ingested_at)
PARTITION BY job
ORDER BY (job, round, trajectory_id)
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO trajectories_anew
(
    job, trajectory_id, request_id, sequence, member, task_id, purpose, evaluation, agent, policy_version, dispatch_version,
    steps, tool_errors, termination, failure, failure_message, resamples, outcome, reward, advantage, success, valid, verdict,
    components, answer, node, reward_node, dispatched_at, started_at, ended_at, scored_at, plan_us, tool_us, ingested_at
)
SELECT
    t.job, t.trajectory_id, request_id, sequence, member, task_id, purpose, evaluation, agent, policy_version, dispatch_version,
    steps, tool_errors, termination, failure, failure_message, resamples, outcome, reward, advantage, success, valid, verdict,
    components, answer, node, reward_node, dispatched_at, started_at, ended_at, scored_at, s.plan_us, s.tool_us, ingested_at
FROM trajectories AS t
LEFT JOIN
(
    SELECT job, trajectory_id, sum(plan_us) AS plan_us, sum(tool_us) AS tool_us
    FROM steps FINAL
    GROUP BY job, trajectory_id
) AS s ON s.job = t.job AND s.trajectory_id = t.trajectory_id
SETTINGS max_partitions_per_insert_block = 0, max_threads = 1, max_insert_threads = 1, async_insert = 0,
    join_algorithm = 'grace_hash', grace_hash_join_initial_buckets = 16, max_bytes_before_external_group_by = 200000000;

EXCHANGE TABLES trajectories_anew AND trajectories;

DROP TABLE IF EXISTS trajectories_anew SYNC;
