-- What the policy learned to do: the tools whose share of the choices changed most between the first and the last tenth of
-- training.
WITH
    (SELECT min(policy_version) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS oldest,
    (SELECT max(policy_version) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest,
    counted AS
    (
        SELECT
            tool,
            intDiv((policy_version - oldest) * 10, newest - oldest + 1) AS bucket,
            count() AS calls,
            countIf(error) / calls AS error_rate,
            avg(entropy) AS entropy_mean
        FROM steps
        WHERE job = {job:String} AND purpose = 'train'
        GROUP BY tool, bucket
    ),
    shared AS
    (
        SELECT
            *,
            calls / sum(calls) OVER (PARTITION BY bucket) AS share,
            min(bucket) OVER () AS first_bucket,
            max(bucket) OVER () AS last_bucket
        FROM counted
    )
SELECT
    tool,
    round(sumIf(share, bucket = first_bucket), 4) AS share_first,
    round(sumIf(share, bucket = last_bucket), 4) AS share_last,
    round(share_last - share_first, 4) AS change,
    round(sumIf(error_rate, bucket = first_bucket), 3) AS error_rate_first,
    round(sumIf(error_rate, bucket = last_bucket), 3) AS error_rate_last,
    round(sumIf(entropy_mean, bucket = first_bucket), 3) AS entropy_first,
    round(sumIf(entropy_mean, bucket = last_bucket), 3) AS entropy_last
FROM shared
GROUP BY tool
ORDER BY abs(change) DESC, tool
