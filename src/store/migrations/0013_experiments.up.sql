-- Live tasks: which policy solved them, what came of them, and how experiments between two policies ended.
ALTER TABLE trajectories
    ADD COLUMN IF NOT EXISTS adapter LowCardinality(String) DEFAULT '' COMMENT 'policy that was served, job@version; empty for all but live tasks' CODEC(ZSTD(1)) AFTER micro_dollars,
    ADD COLUMN IF NOT EXISTS experiment LowCardinality(String) DEFAULT '' COMMENT 'experiment that the live task was served in' CODEC(ZSTD(1)) AFTER adapter,
    ADD COLUMN IF NOT EXISTS arm LowCardinality(String) DEFAULT '' COMMENT 'side of the experiment: champion or candidate' CODEC(ZSTD(1)) AFTER experiment,
    COMMENT COLUMN purpose 'train, evaluate or serve';

ALTER TABLE steps COMMENT COLUMN purpose 'train, evaluate or serve';

CREATE TABLE IF NOT EXISTS experiment_outcomes
(
    job LowCardinality(String) COMMENT 'job of the candidate; of the policy that was served where there is no experiment',
    experiment LowCardinality(String) COMMENT 'experiment id, empty for tasks outside of experiments',
    ordinal UInt32 COMMENT 'position among the outcomes that count, from 1; 0 for one that does not count' CODEC(ZSTD(1)),
    trajectory_id String COMMENT 'the run' CODEC(ZSTD(1)),
    agent LowCardinality(String) COMMENT 'agent whose task it was',
    adapter LowCardinality(String) COMMENT 'policy that was served, job@version',
    arm LowCardinality(String) COMMENT 'champion or candidate',
    unit String COMMENT 'hash of the sticky key: a unit counts once' CODEC(ZSTD(1)),
    reward Float64 COMMENT 'reward; 1 and 0 for success and failure' CODEC(ZSTD(1)),
    paired_with UInt32 COMMENT 'ordinal of the earlier outcome that it was compared with; 0 when it waited for one' CODEC(ZSTD(1)),
    served_at DateTime64(6, 'UTC') COMMENT 'when the task was served, UTC' CODEC(ZSTD(1)),
    recorded_at DateTime64(6, 'UTC') COMMENT 'when the reward came, UTC' CODEC(ZSTD(1)),
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'when the row came into the store, UTC'
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, experiment, ordinal, trajectory_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS experiment_decisions
(
    job LowCardinality(String) COMMENT 'job of the candidate',
    experiment LowCardinality(String) COMMENT 'experiment id',
    agent LowCardinality(String) COMMENT 'agent whose tasks were shared',
    champion LowCardinality(String) COMMENT 'policy that was live, job@version',
    candidate LowCardinality(String) COMMENT 'policy that might take its place, job@version',
    kind LowCardinality(String) COMMENT 'promote, rollback, inconclusive or stop',
    decided_by LowCardinality(String) COMMENT 'rule or person',
    reason String COMMENT 'why, in words' CODEC(ZSTD(3)),
    wins UInt32 COMMENT 'pairs in which the candidate has the higher reward',
    losses UInt32 COMMENT 'pairs in which the champion has it',
    ties UInt32 COMMENT 'pairs of equal rewards',
    units UInt32 COMMENT 'outcomes that were counted',
    evidence Float64 COMMENT 'E of the wins and losses',
    threshold Float64 COMMENT 'what E had to reach: 1 / alpha',
    alpha Float64 COMMENT 'largest probability to decide where the two are equal',
    decided_at DateTime64(6, 'UTC') COMMENT 'when it was decided, UTC',
    ingested_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'when the row came into the store, UTC'
)
ENGINE = ReplacingMergeTree(ingested_at)
ORDER BY (job, experiment)
SETTINGS non_replicated_deduplication_window = 1000;
