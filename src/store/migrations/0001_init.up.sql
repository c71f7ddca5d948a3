-- The five tables. Rows are immutable; a natural key makes a redelivered row collapse with its twin (ReplacingMergeTree,
-- the newest insert wins). Until a background merge has done so, reads deduplicate: the views say FINAL, and every query
-- through Store.query runs with final = 1. From another client write `FROM steps FINAL`.
--
-- No partitions: twins must meet in one partition, so the key would have to decide it, and the key holds no date. Retention
-- is `DELETE FROM <table> WHERE job = ...`.
--
-- The deduplication window lets an insert be repeated with its token (Store.insert) without a second block.
-- Times are UTC; 1970-01-01 means "never happened".
CREATE TABLE IF NOT EXISTS steps
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

CREATE TABLE IF NOT EXISTS trajectories
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

CREATE TABLE IF NOT EXISTS updates
(
    job LowCardinality(String),
    version UInt32,
    groups UInt32,
    trained UInt32,
    filtered UInt32,
    expired UInt32,
    failed UInt32,
    trajectories UInt32,
    decisions UInt64,
    reward_mean Float64,
    success_mean Float64,
    staleness_mean Float64,
    staleness_max UInt32,
    loss Float64,
    entropy Float64,
    kl Float64,
    clip_fraction Float64,
    gradient_norm Float64,
    learning_rate Float64,
    wait_groups_ms Float64,
    compute_ms Float64,
    commit_ms Float64,
    round_ms Float64,
    learners UInt32,
    shards UInt32,
    committed_at DateTime64(6, 'UTC'),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS evaluations
(
    job LowCardinality(String),
    name LowCardinality(String),
    policy_version UInt32,
    tasks UInt32,
    successes UInt32,
    failed UInt32,
    mean_reward Float64,
    mean_steps Float64,
    ci_low Float64,
    ci_high Float64,
    trajectories UInt64,
    train_seconds Float64,
    evaluated_at DateTime64(6, 'UTC'),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, name, policy_version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS job_events
(
    job LowCardinality(String),
    id String,
    kind LowCardinality(String),
    message String CODEC(ZSTD(3)),
    node LowCardinality(String),
    data String CODEC(ZSTD(3)),
    at DateTime64(6, 'UTC'),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, id)
SETTINGS non_replicated_deduplication_window = 1000;
