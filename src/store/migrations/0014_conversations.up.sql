-- Conversations of agents, and log-probabilities of the tokens that policies write.
--
-- What a conversation was: at each step `messages`, then `text`; `millrace query conversation` prints it.
ALTER TABLE steps
    ADD COLUMN IF NOT EXISTS messages String DEFAULT '' COMMENT 'messages that were new to the policy at this step as a JSON list of role, content and tool, empty where the flow is no conversation' CODEC(ZSTD(3)) AFTER advantage,
    ADD COLUMN IF NOT EXISTS further_calls Array(String) DEFAULT [] COMMENT 'calls of the text after the first, each as JSON with tool, arguments, result, error and mistake' CODEC(ZSTD(3)) AFTER messages,
    ADD COLUMN IF NOT EXISTS token_log_probabilities Array(Float32) DEFAULT [] COMMENT 'log-probability of each of tokens, rounded to six digits' CODEC(ZSTD(1)) AFTER further_calls;

ALTER TABLE steps
    COMMENT COLUMN mistake 'what was wrong with a generated decision: cut_off, no_call, several_calls, malformed_call, unknown_tool, closed_tool or bad_arguments';

ALTER TABLE trajectories
    COMMENT COLUMN termination 'done, step_limit, no_action or token_limit, empty when it failed';
