"""Token ids of texts, as in src/policy/tokenizer.ts."""

from functools import lru_cache

import numpy as np

from .characters import LETTERS_AND_MARKS, SPACES, pattern

# A run of letters (an apostrophe within belongs to it), a number, or any single other character.
_WORD = f"[{LETTERS_AND_MARKS}]+"
_TOKEN = pattern(f"{_WORD}(?:['\u2019]{_WORD})*|\\d+(?:[.,]\\d+)*|[^{SPACES}]")
_DIGITS = pattern(r"\d+")
_LONGEST_SHAPE = 12


class Tokenizer:
    """Texts are in lower case, numbers as shapes, every token hashed into [1, buckets)."""

    def __init__(self, buckets, max_length):
        self.max_length = max_length
        self._texts = {}
        self._id = lru_cache(maxsize=65536)(lambda piece: 1 + _fnv1a(_normal(piece)) % (buckets - 1))

    def tokens(self, text):
        """Token ids of a text; the same array for the same text."""
        known = self._texts.get(text)
        if known is None:
            known = np.array([self._id(piece) for piece in _TOKEN.findall(text)[: self.max_length]], np.int32)
            self._texts[text] = known
        return known


def _normal(piece):
    if piece[0] not in "0123456789":
        return piece.lower()
    return f"<{_DIGITS.sub(lambda run: str(min(len(run.group()), _LONGEST_SHAPE)), piece)}>"


def _fnv1a(word):
    value = 0x811C9DC5
    for byte in word.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value
