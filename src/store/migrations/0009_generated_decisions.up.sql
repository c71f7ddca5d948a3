-- Decisions that a policy generates token by token. Rows of choices hold the defaults.
--
-- What a policy read at a step is the prompt and the tokens of the step before, which `prompt` does not repeat, and then `prompt`:
-- arrayConcat of both has tokens_in entries. Where `prompt` alone has that many, the policy began anew.
ALTER TABLE steps
    ADD COLUMN IF NOT EXISTS decision LowCardinality(String) DEFAULT 'choice' COMMENT 'choice among open actions, or generated' AFTER state_flags,
    ADD COLUMN IF NOT EXISTS mistake LowCardinality(String) DEFAULT '' COMMENT 'what was wrong with a generated decision: cut_off, no_call, unknown_tool, closed_tool or bad_arguments' AFTER decision,
    ADD COLUMN IF NOT EXISTS text String DEFAULT '' COMMENT 'what the policy wrote, cut after 4000 characters' CODEC(ZSTD(3)) AFTER mistake,
    ADD COLUMN IF NOT EXISTS tokens_in UInt32 DEFAULT 0 COMMENT 'tokens that the policy read' CODEC(T64, ZSTD(1)) AFTER text,
    ADD COLUMN IF NOT EXISTS tokens_out UInt32 DEFAULT 0 COMMENT 'tokens that the policy wrote' CODEC(T64, ZSTD(1)) AFTER tokens_in,
    ADD COLUMN IF NOT EXISTS prompt Array(UInt32) DEFAULT [] COMMENT 'ids of the tokens that the policy read, from where the step before ended' CODEC(ZSTD(1)) AFTER tokens_out,
    ADD COLUMN IF NOT EXISTS tokens Array(UInt32) DEFAULT [] COMMENT 'ids of the tokens that the policy wrote' CODEC(ZSTD(1)) AFTER prompt;

-- Rows may end before these columns, so the parser no longer refuses a row that is too short.
ALTER TABLE steps ADD CONSTRAINT IF NOT EXISTS is_whole CHECK purpose != '';
