"""Personal data minimised before it is stored: payment card numbers and secrets in free text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# 13 to 19 digits, as people write them: in one piece or in groups with one blank or hyphen between.
_CARD: Final = re.compile(r"(?<![\d.,+-])(?:\d[ -]?){12,18}\d(?![\d])")
_ISSUERS: Final = re.compile(r"(?:4|5[1-5]|2[2-7]|3[0-9]|6)")
_SECRET: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"  # JSON web token
    r"|\b(?:sk|rk|pk)_(?:live|test)_\w{10,}"  # payment provider
    r"|\b(?:whsec|cxk|ghp|gho|ghs|github_pat|glpat|xox[abeprs])[_-][\w+/=-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    re.DOTALL,
)
# Words after "password" that the writer gives away; "password: none of your business" costs a word.
_PASSWORD: Final = re.compile(
    r"(?i)\b(pass(?:word|wort|code|phrase)|passwd|pwd|kennwort|contraseña|mot de passe|api[ _-]?key"
    r"|secret|pin|cvv|cvc)(\s{0,3}(?:is|ist|es|est)?\s{0,3}[:=]\s{0,3})(\S+)"
)


# Nearly every text holds none of it. Looking for plain pieces first costs a tenth of the expressions.
_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))
_CARD_DIGITS: Final = 13
"""Also fewer characters than any secret that is known by its look."""
_SECRET_HINTS: Final = ("_", "-----BEGIN", "eyJ", "glpat", "xox", "AKIA", "ASIA")
_PASSWORD_HINTS: Final = (
    "pass",
    "pwd",
    "kennwort",
    "contrase",
    "mot de",
    "api",
    "secret",
    "pin",
    "cvv",
    "cvc",
)


def mask(text: str) -> str:
    """The text with card numbers as `[card …1111]` (last four kept) and secrets as `[secret]`.

    A run of digits counts as a card number only if it begins like one and its Luhn sum holds, so that
    order and ticket numbers stay readable.
    """
    if len(text) >= _CARD_DIGITS:
        if len(text.encode("utf-8", "replace").translate(None, _NO_DIGITS)) >= _CARD_DIGITS:
            text = _CARD.sub(_card, text)
        if _holds(text, _SECRET_HINTS):
            text = _SECRET.sub("[secret]", text)
    if (":" in text or "=" in text) and _holds(text.lower(), _PASSWORD_HINTS):
        text = _PASSWORD.sub(lambda found: f"{found[1]}{found[2]}[secret]", text)
    return text


def _holds(text: str, hints: Iterable[str]) -> bool:
    # A loop, because a generator costs more than the search itself.
    for hint in hints:  # noqa: SIM110
        if hint in text:
            return True
    return False


def luhn_holds(digits: str) -> bool:
    """The check sum of ISO/IEC 7812-1: from the right, every second digit doubled, total divisible by 10."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"[ -]", "", found[0])
    if _ISSUERS.match(digits) and luhn_holds(digits):
        return f"[card …{digits[-4:]}]"
    return found[0]
