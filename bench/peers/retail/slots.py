"""What the executor can take from a clause."""

from dataclasses import dataclass, field
from typing import Optional, Union

from .brackets import find_groups, mask_groups, read_pairs
from .characters import CAPITALS, LETTERS, SPACES, pattern

ADDRESS_FIELDS = ("address1", "address2", "city", "country", "state", "zip")
CANCEL_REASONS = ("no longer needed", "ordered by mistake")

ORDER_ID = pattern(r"#W\d+")
ADDRESS = pattern(r"\baddress\b", ignore_case=True)
_METHOD_ID = pattern(r"\b(?:credit_card|paypal|gift_card)_\d+\b")
_ENDING_IN = pattern(
    r"\b(?:card|visa|mastercard|plastic)\b[^.;#]{0,30}?\b(?:ending|ends|last four)[^\d.;]{0,12}(\d{4})\b", ignore_case=True
)
_SOURCES = [
    (source, pattern(rf"\b{source.replace('_', ' ')}\b", ignore_case=True)) for source in ("gift_card", "paypal", "credit_card")
]
_ORIGINAL = pattern(
    r"\b(?:original (?:payment|method|form)|same (?:way|method|payment)|(?:way|method) (?:i|that was|it was) (?:paid|used)|"
    r"how i paid|paid with)\b",
    ignore_case=True,
)
_PROSE_ADDRESS = pattern(
    rf"\b(\d+ [{LETTERS}' ]+), (?:([^,;.]+), )?([{LETTERS}' ]+), ([A-Z]{{2}}) (\d{{5}})(?:, ([{CAPITALS}][{LETTERS}]+))?"
)
_PROFILE = pattern(r"\b(?:profile|default|home|usual|on file|account)\b", ignore_case=True)
_MISTAKE = pattern(
    r"\bmistake|\baccident|\bby error|\bin error|\berroneous|\bwrong|\bnever meant|\bdid(?:n't| not) mean|\bunintended",
    ignore_case=True,
)
_NOT_NEEDED = pattern(
    r"\bno longer|\b(?:do|does)(?:n't| not) need|\bnot needed|\bno need|\bno use for|\bneed it no more|\bchanged my mind|"
    r"\bany ?more\b|\bdone without",
    ignore_case=True,
)
_BEFORE_A_NAME = pattern(f"[{LETTERS}\\d-]")
_AFTER_A_NAME = pattern(f"[{LETTERS}\\d]")


@dataclass(slots=True)
class Item:
    """A product name, the options that say which piece is meant, and those that its replacement should differ in."""

    name: str
    given: Optional[dict] = None
    wanted: Optional[dict] = None


@dataclass(slots=True)
class Payment:
    """By `id`, by `source` (perhaps with a card's last four digits), or, with neither, the way the order was paid."""

    id: Optional[str] = None
    source: Optional[str] = None
    last_four: Optional[str] = None


@dataclass(slots=True)
class Slots:
    """`address` is "profile" where the customer's own is meant."""

    order_id: Optional[str] = None
    payment: Optional[Payment] = None
    reason: Optional[str] = None
    address: Optional[Union[dict, str]] = None
    items: list = field(default_factory=list)


def read_slots(text, product_names):
    """Reads what a clause says. `product_names` longest first."""
    groups = find_groups(text)
    masked = mask_groups(text, groups)
    order_id = ORDER_ID.search(masked)
    named = _find_names(masked, product_names)
    slots = Slots(
        order_id=order_id and order_id.group(),
        payment=_read_payment(masked),
        reason=_read_reason(masked),
        address=_read_address(text, groups, masked),
        items=[Item(name) for _, _, name in named],
    )
    # A group belongs to the product named last before it.
    for group in groups:
        pairs = read_pairs(group.inner)
        index = next((i for i in reversed(range(len(named))) if named[i][1] <= group.start), None)
        if pairs is None or index is None:
            continue
        item = slots.items[index]
        # Right after the name: which piece it is. Anything in between ("to", "but with") makes it what to change it to.
        if text[named[index][1] : group.start].strip(SPACES) == "":
            item.given = pairs if item.given is None else item.given
        else:
            item.wanted = pairs if item.wanted is None else item.wanted
    return slots


def _find_names(masked, product_names):
    """(start, end, name) of the products that are named, in order."""
    found = []
    for name in product_names:
        at = masked.find(name)
        while at >= 0:
            end = at + len(name)
            before, after = masked[at - 1] if at > 0 else " ", masked[end : end + 1] or " "
            if not _BEFORE_A_NAME.match(before) and not _AFTER_A_NAME.match(after):
                if not any(at < other_end and start < end for start, other_end, _ in found):
                    found.append((at, end, name))
            at = masked.find(name, end)
    return sorted(found)


def _read_payment(masked):
    method = _METHOD_ID.search(masked)
    if method:
        return Payment(id=method.group())
    ending = _ENDING_IN.search(masked)
    if ending:
        return Payment(source="credit_card", last_four=ending[1])
    for source, mentioned in _SOURCES:
        if mentioned.search(masked):
            return Payment(source=source)
    return Payment() if _ORIGINAL.search(masked) else None


def _read_reason(masked):
    literal = next((reason for reason in CANCEL_REASONS if reason in masked), None)
    if literal:
        return literal
    if _MISTAKE.search(masked):
        return "ordered by mistake"
    return "no longer needed" if _NOT_NEEDED.search(masked) else None


def gives_address(text):
    """Whether a text spells an address out."""
    groups = find_groups(text)
    return isinstance(_read_address(text, groups, mask_groups(text, groups)), dict)


def _read_address(text, groups, masked):
    for group in groups:
        pairs = read_pairs(group.inner)
        if pairs is not None and all(name in pairs for name in ADDRESS_FIELDS):
            return {name: pairs[name] for name in ADDRESS_FIELDS}
    prose = _PROSE_ADDRESS.search(masked)
    if prose:
        address1, address2, city, state, zip_code, country = prose.groups()
        return dict(address1=address1, address2=address2 or "", city=city, country=country or "USA", state=state, zip=zip_code)
    return "profile" if ADDRESS.search(masked) and _PROFILE.search(masked) else None
