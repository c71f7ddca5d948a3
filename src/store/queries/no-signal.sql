-- Groups that taught nothing, in at most 20 buckets of rounds: all members succeeded, all failed the task, or too few could be run.
WITH
    (SELECT max(round) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest
SELECT
    min(round) AS from_round,
    max(round) AS to_round,
    count() AS groups,
    countIf(verdict = 'signal') AS signal,
    countIf(verdict = 'no_signal' AND successes = valid_members) AS all_succeeded,
    countIf(verdict = 'no_signal' AND successes = 0) AS none_succeeded,
    countIf(verdict = 'no_signal') - all_succeeded - none_succeeded AS otherwise_equal,
    countIf(verdict = 'failed') AS failed,
    round(1 - signal / groups, 3) AS without_signal
FROM group_outcomes
WHERE job = {job:String} AND purpose = 'train'
GROUP BY intDiv(round * 20, newest + 1)
ORDER BY from_round
