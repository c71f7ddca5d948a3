-- Where a training trajectory's time went, from dispatch to score.
SELECT
    stage,
    mean_ms,
    p95_ms,
    total_seconds,
    round(total_seconds / greatest(0.000001, sum(total_seconds) OVER ()), 3) AS share
FROM time_breakdown
WHERE job = {job:String} AND purpose = 'train'
ORDER BY total_seconds DESC
