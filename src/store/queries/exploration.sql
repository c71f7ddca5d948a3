-- What exploration knows of the tools at the newest version it was written for: the most used (state bucket, tool) pairs, how
-- their trajectories end, and the SARSA value of the tool there.
SELECT
    bucket,
    tool,
    round(sumIf(n, kind = 'tool'), 1) AS trajectories,
    round(sumIf(mean, kind = 'tool'), 3) AS success,
    round(sumIf(lower, kind = 'tool'), 3) AS low,
    round(sumIf(upper, kind = 'tool'), 3) AS high,
    round(sumIf(mean, kind = 'value'), 3) AS value,
    round(sumIf(n, kind = 'value'), 1) AS steps
FROM exploration
WHERE job = {job:String} AND kind IN ('tool', 'value')
    AND version = (SELECT max(version) FROM exploration WHERE job = {job:String})
GROUP BY bucket, tool
ORDER BY trajectories DESC, bucket, tool
LIMIT 40
