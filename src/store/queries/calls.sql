-- Calls of language models through the gateway, by model and by what is known of them: how many ended in which way, their tokens and
-- cost, and seconds to the first byte and to the end. Only completed calls of capture `tokens` and use `main` can be trained on.
SELECT
    upstream,
    if(served_model = '', model, served_model) AS served,
    capture,
    use,
    count() AS calls,
    countIf(status = 'completed') AS completed,
    countIf(status = 'failed') AS failed,
    countIf(status = 'cut') AS cut,
    countIf(status = 'started') AS unfinished,
    sum(tokens_in) AS tokens_read,
    sum(tokens_out) AS tokens_written,
    round(sum(micro_dollars) / 1e6, 6) AS cost,
    round(quantileIf(0.5)(first_byte_us, first_byte_us > 0) / 1e6, 3) AS first_byte_p50,
    round(quantileIf(0.99)(first_byte_us, first_byte_us > 0) / 1e6, 3) AS first_byte_p99,
    round(quantileIf(0.5)(duration_us, duration_us > 0) / 1e6, 3) AS seconds_p50,
    round(quantileIf(0.99)(duration_us, duration_us > 0) / 1e6, 3) AS seconds_p99
FROM calls
WHERE job = {job:String}
GROUP BY upstream, served, capture, use
ORDER BY upstream, served, capture, use
