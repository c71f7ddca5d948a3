-- What tools complain about, in training: the 40 most frequent errors, and from which to which policy version they were met.
SELECT
    tool,
    substring(result, 1, 100) AS message,
    count() AS errors,
    round(errors / sum(errors) OVER (), 3) AS share,
    min(policy_version) AS first_version,
    max(policy_version) AS last_version
FROM steps
WHERE job = {job:String} AND purpose = 'train' AND error
GROUP BY tool, message
ORDER BY errors DESC, tool, message
LIMIT 40
