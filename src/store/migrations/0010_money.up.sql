-- Money is US dollars, kept and summed in whole micro-dollars; `cost` shows the same in dollars. Rows of older builds have a cost alone.
ALTER TABLE trajectories
    ADD COLUMN IF NOT EXISTS micro_dollars UInt64 DEFAULT toUInt64(ceil(round(cost * 1000000, 3))) COMMENT 'millionths of a US dollar that tools and reward cost, resampled attempts included; each call rounded up' CODEC(T64, ZSTD(1)) AFTER cost,
    COMMENT COLUMN cost 'micro_dollars in US dollars';

-- What each job was charged in each calendar month, as the ledger of its owner has it. It only grows: the row with most is the newest.
CREATE TABLE IF NOT EXISTS spending
(
    job LowCardinality(String) COMMENT 'job id',
    owner LowCardinality(String) COMMENT 'whose budget it is',
    month LowCardinality(String) COMMENT 'calendar month, UTC, like 2026-11',
    micro_dollars UInt64 COMMENT 'millionths of a US dollar' CODEC(ZSTD(1)),
    tokens UInt64 COMMENT 'tokens read and written' CODEC(ZSTD(1)),
    at DateTime64(6, 'UTC') COMMENT 'when the ledger was read, UTC' CODEC(ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'when the row came into the store, UTC',
    growth UInt64 MATERIALIZED micro_dollars + tokens COMMENT 'tells the newest of several rows'
)
ENGINE = ReplacingMergeTree(growth)
ORDER BY (job, owner, month)
SETTINGS non_replicated_deduplication_window = 1000;

-- What did each job cost, and how much of it is in no trajectory? Calls of attempts that were lost with their process, run twice, or
-- handed back are charged and are in none.
CREATE VIEW IF NOT EXISTS job_costs AS
SELECT
    job,
    any(s.owner) AS owner,
    sum(s.charged) AS charged_micro_dollars,
    sum(s.recorded) AS in_trajectories_micro_dollars,
    toInt64(charged_micro_dollars) - toInt64(in_trajectories_micro_dollars) AS lost_micro_dollars,
    sum(s.tokens) AS charged_tokens
FROM
(
    SELECT job, owner, micro_dollars AS charged, 0 AS recorded, tokens FROM spending FINAL
    UNION ALL
    SELECT job, '' AS owner, 0 AS charged, micro_dollars AS recorded, 0 AS tokens FROM trajectories FINAL
) AS s
GROUP BY job;

CREATE OR REPLACE VIEW usage_by_day AS
SELECT
    job,
    toDate(scored_at) AS day,
    count() AS trajectories,
    sum(t.steps) AS decisions,
    round(sum(t.plan_us) / 1000000, 3) AS planner_seconds,
    round(sum(t.tool_us) / 1000000, 3) AS tool_seconds,
    sum(t.tokens_in) AS tokens_in,
    sum(t.tokens_out) AS tokens_out,
    sum(t.micro_dollars) / 1000000 AS cost
FROM trajectories AS t FINAL
GROUP BY job, day;
