ALTER TABLE evaluations
    DROP COLUMN IF EXISTS metrics,
    COMMENT COLUMN name 'planner: trained, untrained, random, do-nothing or rule';
ALTER TABLE updates
    DROP COLUMN IF EXISTS reward_std,
    DROP COLUMN IF EXISTS reward_max;
