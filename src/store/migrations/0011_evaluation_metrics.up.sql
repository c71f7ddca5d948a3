-- What evaluations measured beside success, and how far rewards of a round are apart.
ALTER TABLE evaluations
    ADD COLUMN IF NOT EXISTS metrics Map(LowCardinality(String), Float64) DEFAULT map() COMMENT 'figures by name: success, reward, steps, tool_accuracy, tokens and cost (dollars) of a flow, pass@k of a task; 95 % intervals as <name>_low and <name>_high' CODEC(ZSTD(1)) AFTER evaluated_at,
    COMMENT COLUMN name 'trained, untrained, random, do-nothing, rule, sampled (at the sampling temperature); on the test tasks test-trained, test-untrained, test-rule, test-sampled';
ALTER TABLE updates
    ADD COLUMN IF NOT EXISTS reward_std Float64 DEFAULT 0 COMMENT 'standard deviation of the rewards of the trajectories of the round' CODEC(ZSTD(1)) AFTER metrics,
    ADD COLUMN IF NOT EXISTS reward_max Float64 DEFAULT 0 COMMENT 'largest of them' CODEC(ZSTD(1)) AFTER reward_std;
