ALTER TABLE trajectories
    COMMENT COLUMN termination 'done, step_limit or no_action, empty when it failed';

ALTER TABLE steps
    COMMENT COLUMN mistake 'what was wrong with a generated decision: cut_off, no_call, unknown_tool, closed_tool or bad_arguments';

ALTER TABLE steps
    DROP COLUMN IF EXISTS token_log_probabilities,
    DROP COLUMN IF EXISTS further_calls,
    DROP COLUMN IF EXISTS messages;
