-- Calls, errors and latency of every tool, in training.
SELECT
    tool,
    calls,
    round(calls / sum(calls) OVER (), 3) AS share,
    round(error_rate, 3) AS error_rate,
    p50_ms,
    p95_ms,
    max_ms
FROM tool_usage
WHERE job = {job:String} AND purpose = 'train'
ORDER BY calls DESC, tool
