-- Every evaluation on held-out tasks: success of the flows that were judged with its 95 % interval, what was not judged and why, reward and steps.
WITH
    (SELECT groupUniqArray((evaluation, failure, trajectory_id)) FROM trajectories WHERE job = {job:String} AND purpose = 'evaluate' AND failure != '') AS lost,
    concat(name, '@', toString(policy_version)) AS key,
    arrayMap(member -> upper(member.2), arrayFilter(member -> member.1 = key, lost)) AS classes
SELECT
    name,
    policy_version,
    tasks,
    if(tasks > failed, round(successes / (tasks - failed), 3), NULL) AS success,
    round(ci_low, 3) AS low,
    round(ci_high, 3) AS high,
    tasks - failed AS judged,
    failed AS not_judged,
    arrayStringConcat(arrayMap(class -> concat(class, ' ', toString(countEqual(classes, class))), arraySort(arrayDistinct(classes))), ', ') AS failures,
    failed > tasks * 0.02 AS incomplete,
    round(mean_reward, 3) AS reward,
    round(mean_steps, 1) AS steps,
    trajectories,
    round(train_seconds, 1) AS train_seconds
FROM evaluations
WHERE job = {job:String}
ORDER BY policy_version, name
