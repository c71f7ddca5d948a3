-- What the policy learned to do: the tools whose share of the choices changed most between the first and the last tenth of
-- training.
WITH
    (SELECT min(policy_version) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS oldest,
    (SELECT max(policy_version) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest,
    newest - oldest + 1 AS versions,
    -- Where the first tenth ends and the last one begins; of fewer than ten versions a tenth is one.
    oldest + intDiv(versions + 9, 10) AS first_end,
    least(newest, oldest + intDiv(intDiv((versions - 1) * 10, versions) * versions + 9, 10)) AS last_start,
    counted AS
    (
        SELECT
            tool,
            policy_version >= last_start AS last,
            count() AS calls,
            countIf(error) / calls AS error_rate,
            avg(entropy) AS entropy_mean
        FROM steps
        WHERE job = {job:String} AND purpose = 'train' AND versions > 1
            AND (policy_version < first_end OR policy_version >= last_start)
        GROUP BY tool, last
    ),
    shared AS
    (
        SELECT *, calls / sum(calls) OVER (PARTITION BY last) AS share
        FROM counted
    )
SELECT
    tool,
    round(sumIf(share, NOT last), 4) AS share_first,
    round(sumIf(share, last), 4) AS share_last,
    round(share_last - share_first, 4) AS change,
    round(sumIf(error_rate, NOT last), 3) AS error_rate_first,
    round(sumIf(error_rate, last), 3) AS error_rate_last,
    round(sumIf(entropy_mean, NOT last), 3) AS entropy_first,
    round(sumIf(entropy_mean, last), 3) AS entropy_last
FROM shared
GROUP BY tool
ORDER BY abs(change) DESC, tool
