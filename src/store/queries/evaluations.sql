-- Every evaluation on held-out tasks: success with its 95 % interval, reward and steps.
SELECT
    name,
    policy_version,
    tasks,
    round(successes / greatest(1, tasks - failed), 3) AS success,
    round(ci_low, 3) AS low,
    round(ci_high, 3) AS high,
    round(mean_reward, 3) AS reward,
    round(mean_steps, 1) AS steps,
    trajectories,
    round(train_seconds, 1) AS train_seconds
FROM evaluations
WHERE job = {job:String}
ORDER BY policy_version, name
