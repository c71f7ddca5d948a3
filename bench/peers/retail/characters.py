"""Classes of characters as the flow's patterns mean them, to be put between the brackets of a regular expression.

The patterns are compiled with re.ASCII: letters beyond ASCII are in a pattern only where it names them, as in JavaScript.
"""

import re
import sys
import unicodedata


def _ranges(points):
    """Ascending code points as the inside of a character class."""
    parts, first, last = [], None, None
    for point in [*points, None]:
        if last is not None and point != last + 1:
            parts.append(f"\\U{first:08x}-\\U{last:08x}")
            first = point
        elif first is None:
            first = point
        last = point
    return "".join(parts)


_CATEGORIES = [unicodedata.category(chr(point)) for point in range(sys.maxunicode + 1)]
_CAPITALS = {point for point, category in enumerate(_CATEGORIES) if category == "Lu"}

LETTERS = _ranges(point for point, category in enumerate(_CATEGORIES) if category[0] == "L")
LETTERS_AND_MARKS = _ranges(point for point, category in enumerate(_CATEGORIES) if category[0] in "LM")
CAPITALS = _ranges(sorted(_CAPITALS))
# Letters that have a capital, or are one.
CASED = _ranges(
    sorted(
        _CAPITALS
        | {ord(chr(point).lower()) for point in _CAPITALS if len(chr(point).lower()) == 1}
        | {p for p, c in enumerate(_CATEGORIES) if c[0] == "L" and len(chr(p).upper()) == 1 and ord(chr(p).upper()) in _CAPITALS}
    )
)
SPACES = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
del _CATEGORIES, _CAPITALS


def pattern(text, ignore_case=False):
    """Compiles a pattern in which \\b, \\d and \\w are ASCII's; spaces are {SPACES}."""
    return re.compile(text, re.ASCII | (re.IGNORECASE if ignore_case else 0))
