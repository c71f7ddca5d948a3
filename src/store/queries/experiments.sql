-- Experiments whose candidate is of the job: wins, losses and evidence E computed from the outcomes alone, and the decision with the numbers that it
-- was made with. They are the same. `unpaired` counts outcomes that were compared with nothing.
SELECT
    o.experiment AS experiment,
    any(d.champion) AS champion,
    any(d.candidate) AS candidate,
    countIf(o.arm = 'champion') AS champion_units,
    countIf(o.arm = 'candidate') AS candidate_units,
    round(avgIf(o.reward, o.arm = 'champion'), 4) AS champion_reward,
    round(avgIf(o.reward, o.arm = 'candidate'), 4) AS candidate_reward,
    countIf(o.paired_with > 0 AND if(o.arm = 'candidate', o.reward - p.reward, p.reward - o.reward) > 0) AS wins,
    countIf(o.paired_with > 0 AND if(o.arm = 'candidate', o.reward - p.reward, p.reward - o.reward) < 0) AS losses,
    countIf(o.paired_with > 0) - wins - losses AS ties,
    count() - 2 * countIf(o.paired_with > 0) AS unpaired,
    least(1e300, exp((wins + losses) * log(2) + lgamma(wins + 1) + lgamma(losses + 1) - lgamma(wins + losses + 2))) AS evidence,
    any(d.kind) AS decision,
    any(d.decided_by) AS decided_by,
    any(d.wins) AS decided_wins,
    any(d.losses) AS decided_losses,
    any(d.evidence) AS decided_evidence,
    any(d.threshold) AS threshold
FROM experiment_outcomes AS o
LEFT JOIN
(
    SELECT experiment, ordinal, reward FROM experiment_outcomes WHERE job = {job:String} AND ordinal > 0
) AS p ON p.experiment = o.experiment AND p.ordinal = o.paired_with
LEFT JOIN
(
    SELECT experiment, champion, candidate, kind, decided_by, wins, losses, evidence, threshold
    FROM experiment_decisions
    WHERE job = {job:String}
) AS d ON d.experiment = o.experiment
WHERE o.job = {job:String} AND o.ordinal > 0
GROUP BY experiment
ORDER BY min(o.recorded_at), experiment
