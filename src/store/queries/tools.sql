-- Calls, errors and time-outs of every tool, in training; time-outs of trajectories that were sampled again included.
SELECT
    tool,
    sum(calls) AS calls,
    sum(errors) AS errors,
    sum(timeouts) AS timeouts,
    sum(groups) AS groups_with_timeouts,
    round(max(max_ms), 3) AS max_ms
FROM
(
    SELECT tool, count() AS calls, countIf(error) AS errors, 0 AS timeouts, 0 AS groups, max(tool_us) / 1000 AS max_ms
    FROM steps
    WHERE job = {job:String} AND purpose = 'train'
    GROUP BY tool
    UNION ALL
    SELECT pair.1 AS tool, 0 AS calls, 0 AS errors, sum(pair.2) AS timeouts, count() AS groups, 0 AS max_ms
    FROM
    (
        SELECT arrayJoin(JSONExtractKeysAndValues(any(data), 'tools', 'UInt32')) AS pair
        FROM job_events
        WHERE job = {job:String} AND kind = 'tool-timeouts'
        GROUP BY id
        HAVING JSONExtractString(any(data), 'purpose') = 'train'
    )
    GROUP BY tool
)
GROUP BY tool
ORDER BY timeouts DESC, calls DESC, tool
