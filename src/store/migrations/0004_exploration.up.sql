-- What exploration knew at the versions that were evaluated: success posteriors of tools in state buckets, SARSA values, success
-- posteriors of tasks, the temperature's multiplier.
CREATE TABLE IF NOT EXISTS exploration
(
    job LowCardinality(String),
    version UInt32,
    kind LowCardinality(String),
    bucket UInt32,
    tool LowCardinality(String),
    task String CODEC(ZSTD(1)),
    n Float64,
    mean Float64,
    lower Float64,
    upper Float64,
    at DateTime64(6, 'UTC'),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, version, kind, bucket, tool, task)
SETTINGS non_replicated_deduplication_window = 1000;
