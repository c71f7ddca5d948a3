"""Observations of many flows side by side as flat arrays: what the network computes on (see bench/train/protocol.ts)."""

from itertools import chain

import numpy as np

from .memory import CLAUSE_TOOLS, GLOBAL_TOOLS, STATE_FEATURES

_STATE, _GLOBAL, _CLAUSE = len(STATE_FEATURES), len(GLOBAL_TOOLS), len(CLAUSE_TOOLS)
_NONE = np.zeros(0, np.int32)


class Texts:
    """Numbers the distinct token lists of a round by first use; 0 is the empty one."""

    def __init__(self):
        self._numbers = {b"": 0}
        self._new = []

    def number(self, tokens):
        key = tokens.tobytes()
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers)
            self._new.append(tokens)
        return number

    def take_new(self):
        """Texts met since the last call."""
        new, self._new = self._new, []
        return new


def flatten(observations, new_texts):
    """`observations` are (numbers of its items' texts, state and item flags as bytes), one row each."""
    count = len(observations)
    items = np.fromiter((len(texts) for texts, _ in observations), np.int32, count)
    item_count = int(items.sum())
    owner = np.repeat(np.arange(count, dtype=np.int32), items)
    start = np.zeros(count + 1, np.int32)
    np.cumsum(_GLOBAL + _CLAUSE * items, out=start[1:])
    # Scores are a matrix of observations x global tools, then one of items x clause tools.
    score = np.empty(start[-1], np.int32)
    on_clause = np.ones(start[-1], bool)
    places = start[:-1, None] + np.arange(_GLOBAL, dtype=np.int32)
    on_clause[places] = False
    score[places] = np.arange(count * _GLOBAL, dtype=np.int32).reshape(count, _GLOBAL)
    score[on_clause] = np.arange(count * _GLOBAL, count * _GLOBAL + item_count * _CLAUSE, dtype=np.int32)
    with np.errstate(divide="ignore"):
        share = np.where(items > 0, 1.0 / items, 0.0)
    return {
        "newTokens": np.concatenate(new_texts) if new_texts else _NONE,
        "newTextLengths": np.fromiter(map(len, new_texts), np.int32, len(new_texts)),
        "observationText": np.zeros(count, np.int32),
        "state": _floats(flags[:_STATE] for _, flags in observations),
        "itemObservation": owner,
        "itemText": np.fromiter(chain.from_iterable(texts for texts, _ in observations), np.int32, item_count),
        "itemFlags": _floats(flags[_STATE:] for _, flags in observations),
        "itemShare": share.astype(np.float32),
        "tuples0": np.arange(count, dtype=np.int32),
        "tuples1": owner,
        "tuples1item0": np.arange(item_count, dtype=np.int32),
        "tuples2": _NONE,
        "tuples2item0": _NONE,
        "tuples2item1": _NONE,
        "actionStart": start,
        "actionScore": score,
    }


def _floats(parts):
    return np.frombuffer(b"".join(parts), np.uint8).astype(np.float32)
