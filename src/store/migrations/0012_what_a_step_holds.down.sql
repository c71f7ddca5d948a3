DROP VIEW IF EXISTS step_states;

DROP TABLE IF EXISTS policy_checkpoints SYNC;

DROP TABLE IF EXISTS training_jobs SYNC;

ALTER TABLE steps
    DROP COLUMN IF EXISTS advantage,
    DROP COLUMN IF EXISTS step_reward,
    DROP COLUMN IF EXISTS other_probabilities,
    DROP COLUMN IF EXISTS other_actions,
    DROP COLUMN IF EXISTS verified,
    DROP COLUMN IF EXISTS state_after,
    DROP COLUMN IF EXISTS state_before;
