DROP TABLE IF EXISTS experiment_decisions SYNC;

DROP TABLE IF EXISTS experiment_outcomes SYNC;

ALTER TABLE steps COMMENT COLUMN purpose 'train or evaluate';

ALTER TABLE trajectories
    DROP COLUMN IF EXISTS arm,
    DROP COLUMN IF EXISTS experiment,
    DROP COLUMN IF EXISTS adapter,
    COMMENT COLUMN purpose 'train or evaluate';
