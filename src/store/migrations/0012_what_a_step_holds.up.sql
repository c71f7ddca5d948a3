-- What a step saw, what else it could have done and what it was worth; jobs and checkpoints to join with.
--
-- A state is stored once: the one before a step is the one after the step before, and a step that changes nothing stores nothing. View
-- step_states has both at every step. Equal states of a group's members lie once in the dictionary.
ALTER TABLE steps
    ADD COLUMN IF NOT EXISTS state_before LowCardinality(String) DEFAULT '' COMMENT 'state before the first step as JSON, empty in later steps; view step_states has it at every step' CODEC(ZSTD(1)) AFTER tokens,
    ADD COLUMN IF NOT EXISTS state_after LowCardinality(String) DEFAULT '' COMMENT 'state after the step as JSON, empty where the step did not change it, null where nobody knows it' CODEC(ZSTD(1)) AFTER state_before,
    ADD COLUMN IF NOT EXISTS verified Bool DEFAULT false COMMENT 'the verifier of the flow confirmed the step' CODEC(ZSTD(1)) AFTER state_after,
    ADD COLUMN IF NOT EXISTS other_actions Array(LowCardinality(String)) DEFAULT [] COMMENT 'the other open actions, the most likely first, at most 8: tool, and items in brackets' CODEC(ZSTD(1)) AFTER verified,
    ADD COLUMN IF NOT EXISTS other_probabilities Array(Float32) DEFAULT [] COMMENT 'their probabilities, rounded to four digits' CODEC(ZSTD(1)) AFTER other_actions,
    ADD COLUMN IF NOT EXISTS step_reward Nullable(Float32) DEFAULT NULL COMMENT 'part of the reward that came at this step, NULL where the trajectory has none' CODEC(ZSTD(1)) AFTER other_probabilities,
    ADD COLUMN IF NOT EXISTS advantage Nullable(Float32) DEFAULT NULL COMMENT 'advantage of the decision when its group was scored, NULL where the method computes it from a whole round, and in evaluations' CODEC(ZSTD(1)) AFTER step_reward;

CREATE TABLE IF NOT EXISTS training_jobs
(
    job LowCardinality(String) COMMENT 'job id',
    owner LowCardinality(String) COMMENT 'who created it',
    state LowCardinality(String) COMMENT 'QUEUED, RUNNING, PAUSED, SUCCEEDED, FAILED or CANCELLED',
    flow String COMMENT 'its flow, as the job file names it',
    method LowCardinality(String) COMMENT 'training method',
    policy LowCardinality(String) COMMENT 'policy kind',
    seed UInt64 COMMENT 'seed of the job',
    rounds UInt32 COMMENT 'rounds that it is to train',
    priority Int16 COMMENT 'of jobs that wait the highest is admitted first',
    created_at DateTime64(6, 'UTC') COMMENT 'when it was created, UTC',
    started_at DateTime64(6, 'UTC') COMMENT 'when it was first started, UTC; 1970 while it was not',
    ended_at DateTime64(6, 'UTC') COMMENT 'when it ended, UTC; 1970 while it has not',
    error String COMMENT 'what went wrong, where it failed',
    from_checkpoint String COMMENT 'what its first weights are from, empty where they were new',
    code String COMMENT 'digest of its code and data',
    config String COMMENT 'its settings as JSON, bounded' CODEC(ZSTD(3)),
    checkpoints Array(UInt32) COMMENT 'versions whose checkpoints are kept now',
    best_checkpoint Int64 COMMENT 'the best of those on held-out tasks, -1 while none was measured',
    at DateTime64(6, 'UTC') COMMENT 'when a coordinator saw it so, UTC: tells the newest of several rows',
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'when the row came into the store, UTC'
)
ENGINE = ReplacingMergeTree(at)
ORDER BY job
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS policy_checkpoints
(
    job LowCardinality(String) COMMENT 'job id',
    version UInt32 COMMENT 'policy version',
    digest String COMMENT 'SHA-256 of its manifest, which names its files',
    bytes UInt64 COMMENT 'bytes of all its files',
    written_at DateTime64(6, 'UTC') COMMENT 'when it was written, UTC',
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'when the row came into the store, UTC'
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (job, version)
SETTINGS non_replicated_deduplication_window = 1000;

-- Every step with the state before and after it; NULL where none is stored. Conditions on job and trajectory_id are applied to the table.
CREATE VIEW IF NOT EXISTS step_states AS
SELECT
    job,
    trajectory_id,
    step,
    coalesce(stored_before, first_before) AS state_before,
    coalesce(stored_after, stored_before, first_before) AS state_after
FROM
(
    SELECT
        job,
        trajectory_id,
        step,
        anyLast(nullIf(toString(s.state_before), '')) OVER so_far AS first_before,
        anyLast(nullIf(toString(s.state_after), '')) OVER until_then AS stored_before,
        nullIf(toString(s.state_after), '') AS stored_after
    FROM steps AS s FINAL
    WINDOW
        so_far AS (PARTITION BY job, trajectory_id ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
        until_then AS (PARTITION BY job, trajectory_id ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
);
