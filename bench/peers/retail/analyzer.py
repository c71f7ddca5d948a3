"""Splits a message into who writes and what they want. It decides nothing about tools."""

from dataclasses import dataclass

from .brackets import find_groups, mask_groups
from .characters import SPACES, pattern
from .header import Header, is_about_the_customer, read_header
from .slots import ADDRESS, ORDER_ID, Slots, gives_address, read_slots

_SEPARATOR = pattern(f"[.;!?](?=[{SPACES}]|\\Z)|\n")
_BRACKETS = pattern(r"[{}()\[\]]")
_SPACES = pattern(f"[{SPACES}]+")


@dataclass(slots=True, frozen=True)
class Clause:
    """One request: the customer's words without what stands in brackets, what they mean, and the others about its order."""

    text: str
    slots: Slots
    siblings: tuple


@dataclass(slots=True, frozen=True)
class Analysis:
    header: Header
    clauses: tuple


def analyze(message, product_names):
    """A message taken apart."""
    texts = _cut_into_clauses(message)
    slots = [read_slots(text, product_names) for text in texts]
    clauses = []
    for i, (text, own) in enumerate(zip(texts, slots)):
        siblings = (j for j, other in enumerate(slots) if j != i and other.order_id == own.order_id is not None)
        clauses.append(Clause(_shorten(text), own, tuple(siblings)))
    return Analysis(read_header(mask_groups(message, find_groups(message))), tuple(clauses))


def _cut_into_clauses(message):
    """A clause starts at each piece that names an order or gives an address; what follows belongs to it until the next one."""
    clauses = []
    for text, masked in _cut_into_pieces(message):
        if ORDER_ID.search(masked) or (ADDRESS.search(masked) and gives_address(text)):
            clauses.append(text)
        elif clauses and not is_about_the_customer(masked):
            clauses[-1] += f" {text}"
    return clauses


def _cut_into_pieces(message):
    """Cuts at sentence ends, semicolons and line breaks, but not inside brackets: texts, and the same masked."""
    masked = mask_groups(message, find_groups(message))
    ends = [match.end() for match in _SEPARATOR.finditer(masked)] + [len(message)]
    pieces = [(message[start:end], masked[start:end]) for start, end in zip([0, *ends], ends)]
    return [piece for piece in pieces if piece[0].strip(SPACES) != ""]


def _shorten(text):
    masked = mask_groups(text, find_groups(text))
    return _SPACES.sub(" ", _BRACKETS.sub(" ", masked)).strip(SPACES)
