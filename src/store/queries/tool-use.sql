-- Calls, errors and latency of every tool, in training.
SELECT
    tool,
    count() AS calls,
    round(calls / sum(calls) OVER (), 3) AS share,
    round(countIf(error) / calls, 3) AS error_rate,
    round(quantile(0.5)(tool_us) / 1000, 3) AS p50_ms,
    round(quantile(0.95)(tool_us) / 1000, 3) AS p95_ms,
    round(quantile(0.99)(tool_us) / 1000, 3) AS p99_ms,
    round(max(tool_us) / 1000, 3) AS max_ms
FROM steps
WHERE job = {job:String} AND purpose = 'train'
GROUP BY tool
ORDER BY calls DESC, tool
