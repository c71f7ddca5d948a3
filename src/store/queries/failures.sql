-- Infrastructure failures by class and node.
SELECT purpose, failure, node, trajectories, resamples, first_at, last_at, example
FROM failure_classes
WHERE job = {job:String}
ORDER BY trajectories DESC, failure, node
