    -- 95 % intervals: Wilson's for a rate of n, Newcombe's for what b is higher by than a.
    1.959963984540054 AS z,
    (p, n) -> (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS wilson_low,
    (p, n) -> (p + z * z / (2 * n) + z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS wilson_high,
    (a, m, b, n) -> b - a - sqrt(pow(b - wilson_low(b, n), 2) + pow(wilson_high(a, m) - a, 2)) AS newcombe_low,
    (a, m, b, n) -> b - a + sqrt(pow(wilson_high(b, n) - b, 2) + pow(a - wilson_low(a, m), 2)) AS newcombe_high
