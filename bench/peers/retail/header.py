"""Who the customer says they are."""

from typing import NamedTuple, Optional

from .characters import CAPITALS, CASED, LETTERS, SPACES, pattern

_EMAIL = pattern(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ZIP = pattern(r"\b(?:zip|post(?:al)?)[ -]?(?:code)?\b[^\d#]{0,20}(\d{5})\b", ignore_case=True)
_OPENINGS = "name is|name's|name:|i am|i'm|this is|it's|it is|signed,?|regards,?|thanks,?|yours,?|cheers,?"
# As in JavaScript, the long s and the Kelvin sign are letters of ASCII here.
_NAME = pattern(
    "(?<![\\w\u017f\u212a])(?i:" + _OPENINGS.replace("s", "[s\u017f]").replace("k", "[k\u212a]") + ")"
    f"[{SPACES}]+([{CASED}][{LETTERS}'-]+)[{SPACES}]+([{CASED}][{LETTERS}'-]+)"
)
_CAPITAL = pattern(f"[{CAPITALS}]")


class Header(NamedTuple):
    email: Optional[str] = None
    first_name: Optional[str] = None
    last_name: Optional[str] = None
    zip: Optional[str] = None


def read_header(masked):
    """Finds e-mail, name and zip code in the masked text of a message."""
    email, zip_code = _EMAIL.search(masked), _ZIP.search(masked)
    names = (m.groups() for m in _NAME.finditer(masked) if _CAPITAL.match(m[1]) and _CAPITAL.match(m[2]))
    first, last = next(names, (None, None))
    return Header(email and email.group(), first, last, zip_code and zip_code[1])


def is_about_the_customer(masked):
    """Whether a piece says who the customer is rather than what they want."""
    return bool(_EMAIL.search(masked) or _ZIP.search(masked))
