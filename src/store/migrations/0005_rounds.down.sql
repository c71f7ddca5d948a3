-- The tables as 0001 made them; what 0005 added to a row is lost.
DROP TABLE IF EXISTS trajectories_anew SYNC;

CREATE TABLE IF NOT EXISTS trajectories_anew
(
    job LowCardinality(String),
    trajectory_id String CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    sequence UInt64 CODEC(Delta(8), ZSTD(1)),
    member UInt16 CODEC(T64, ZSTD(1)),
    task_id String CODEC(ZSTD(1)),
    purpose LowCardinality(String),
    evaluation LowCardinality(String),
    agent LowCardinality(String),
    policy_version UInt32 CODEC(Delta(4), ZSTD(1)),
    dispatch_version UInt32 CODEC(Delta(4), ZSTD(1)),
    steps UInt16 CODEC(T64, ZSTD(1)),
    tool_errors UInt16 CODEC(T64, ZSTD(1)),
    termination LowCardinality(String),
    failure LowCardinality(String),
    failure_message String CODEC(ZSTD(3)),
    resamples UInt16 CODEC(T64, ZSTD(1)),
    outcome Float32 CODEC(ZSTD(1)),
    reward Float32 CODEC(ZSTD(1)),
    advantage Float32 CODEC(ZSTD(1)),
    success Bool CODEC(ZSTD(1)),
    valid Bool CODEC(ZSTD(1)),
    verdict LowCardinality(String),
    components Map(LowCardinality(String), Float32) CODEC(ZSTD(1)),
    answer String CODEC(ZSTD(3)),
    node LowCardinality(String),
    reward_node LowCardinality(String),
    dispatched_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    started_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    ended_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    scored_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, trajectory_id)
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO trajectories_anew
(
    job, trajectory_id, request_id, sequence, member, task_id, purpose, evaluation, agent, policy_version, dispatch_version,
    steps, tool_errors, termination, failure, failure_message, resamples, outcome, reward, advantage, success, valid, verdict,
    components, answer, node, reward_node, dispatched_at, started_at, ended_at, scored_at, ingested_at
)
SELECT
    job, trajectory_id, request_id, sequence, member, task_id, purpose, evaluation, agent, policy_version, dispatch_version,
    steps, tool_errors, termination, failure, failure_message, resamples, outcome, reward, advantage, success, valid, verdict,
    components, answer, node, reward_node, dispatched_at, started_at, ended_at, scored_at, ingested_at
FROM trajectories
SETTINGS max_threads = 1, max_insert_threads = 1, async_insert = 0;

EXCHANGE TABLES trajectories_anew AND trajectories;

DROP TABLE IF EXISTS trajectories_anew SYNC;

DROP TABLE IF EXISTS steps_anew SYNC;

CREATE TABLE IF NOT EXISTS steps_anew
(
    job LowCardinality(String),
    trajectory_id String CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    task_id String CODEC(ZSTD(1)),
    purpose LowCardinality(String),
    evaluation LowCardinality(String),
    policy_version UInt32 CODEC(Delta(4), ZSTD(1)),
    step UInt16 CODEC(Delta(2), ZSTD(1)),
    tool LowCardinality(String),
    items Array(UInt16) CODEC(ZSTD(1)),
    arguments String CODEC(ZSTD(3)),
    result String CODEC(ZSTD(3)),
    error Bool CODEC(ZSTD(1)),
    log_probability Float32 CODEC(ZSTD(1)),
    entropy Float32 CODEC(ZSTD(1)),
    open_actions UInt16 CODEC(T64, ZSTD(1)),
    plan_us UInt32 CODEC(T64, ZSTD(1)),
    tool_us UInt32 CODEC(T64, ZSTD(1)),
    started_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    -- Vectors travel as base64: float32, little endian.
    state_flags_base64 String EPHEMERAL '',
    state_flags Array(Float32) DEFAULT reinterpret(base64Decode(state_flags_base64), 'Array(Float32)') CODEC(ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, trajectory_id, step)
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
SETTINGS max_threads = 1, max_insert_threads = 1, async_insert = 0;

EXCHANGE TABLES steps_anew AND steps;

DROP TABLE IF EXISTS steps_anew SYNC;
