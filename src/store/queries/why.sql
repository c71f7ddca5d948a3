-- What the policy learned to do: the tools whose share of the choices changed most between the first and the last tenth of
-- training.
SELECT
    tool,
    round(sumIf(share, bucket = first_bucket), 4) AS share_first,
    round(sumIf(share, bucket = last_bucket), 4) AS share_last,
    round(share_last - share_first, 4) AS change,
    round(sumIf(error_rate, bucket = first_bucket), 3) AS error_rate_first,
    round(sumIf(error_rate, bucket = last_bucket), 3) AS error_rate_last,
    round(sumIf(entropy_mean, bucket = first_bucket), 3) AS entropy_first,
    round(sumIf(entropy_mean, bucket = last_bucket), 3) AS entropy_last
FROM
(
    SELECT
        *,
        min(bucket) OVER () AS first_bucket,
        max(bucket) OVER () AS last_bucket
    FROM tool_choice
    WHERE job = {job:String}
)
GROUP BY tool
ORDER BY abs(change) DESC, tool
