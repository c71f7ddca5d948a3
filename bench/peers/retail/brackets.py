"""Runs of a message in brackets, e.g. the options of an item."""

from typing import NamedTuple

from .characters import SPACES, pattern

_CLOSING = {"{": "}", "(": ")", "[": "]"}
_ESCAPED = pattern("\\\\([^\n\r\u2028\u2029])")


class Group(NamedTuple):
    """Offsets of the brackets themselves (`end` is just after the closing one) and what stands between them."""

    start: int
    end: int
    inner: str


def find_groups(text):
    """The outermost bracketed groups, in order. A bracket that is never closed is ordinary text."""
    groups, at = [], 0
    while at < len(text):
        end = _end_of(text, at) if text[at] in _CLOSING else None
        if end is None:
            at += 1
        else:
            groups.append(Group(at, end, text[at + 1 : end - 1]))
            at = end
    return groups


def _end_of(text, start):
    opening, closing, depth = text[start], _CLOSING[text[start]], 0
    for at in range(start, len(text)):
        if text[at] == opening:
            depth += 1
        elif text[at] == closing:
            depth -= 1
        if depth == 0:
            return at + 1
    return None


def mask_groups(text, groups):
    """The text with what groups hold blanked out, so that offsets stay."""
    for start, end, inner in groups:
        text = f"{text[: start + 1]}{' ' * len(inner)}{text[end - 1 :]}"
    return text


def read_pairs(inner):
    """`name: value` pairs between commas, names and values perhaps quoted; None when an entry is not a pair."""
    pairs = {}
    for entry in _split_outside_quotes(inner, ","):
        if entry.strip(SPACES) == "":
            continue
        name, *rest = _split_outside_quotes(entry, ":=")
        if not rest:
            return None
        pairs[_unquote(name)] = _unquote(":".join(rest))
    return pairs


def _split_outside_quotes(text, separators):
    parts, start, quote, at = [], 0, None, 0
    while at < len(text):
        char = text[at]
        if quote is not None:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = None
        elif char in "'\"" and (text[:at].rstrip(SPACES) or ",")[-1] in ",:=":
            # Only at the start of a name or value: the apostrophe in "it's" is no quote.
            quote = char
        elif char in separators:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return parts


def _unquote(text):
    text = text.strip(SPACES)
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return _ESCAPED.sub(r"\1", text[1:-1])
    return text
