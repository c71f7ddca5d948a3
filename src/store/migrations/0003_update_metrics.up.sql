-- What the training method logs of a round, by name: means over its decisions (docs/algorithms.md).
ALTER TABLE updates ADD COLUMN IF NOT EXISTS metrics Map(LowCardinality(String), Float64) DEFAULT map() CODEC(ZSTD(1)) AFTER committed_at;
