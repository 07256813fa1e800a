"""Identifiers `scheme:value`: normalising, strength, and whether they name a person or an organisation."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

SOURCE_ID: Final = re.compile(r"[a-z0-9-]{1,40}\Z")
_SCOPED: Final = re.compile(r"([a-z0-9-]{1,40})\.(user|contact|org)\Z")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\Z")
MAX_LENGTH: Final = 320

_SCOPED_STRENGTH: Final = 3
_ORGANISATION_STRENGTH: Final = 4
_STRENGTH: Final = {"user": 0, "email": 1, "phone": 2, "account": _ORGANISATION_STRENGTH}


class IdentifierError(ValueError):
    """The text is no identifier; the message says why and what would be one."""


def normalise(identifier: str) -> str:
    """`scheme:value` in the form in which identifiers are compared. Raises IdentifierError."""
    scheme, colon, value = identifier.partition(":")
    scheme, value = scheme.strip(), value.strip()
    if not colon or not value:
        raise IdentifierError("an identifier is written scheme:value, such as email:ann@example.com")
    if len(value) > MAX_LENGTH:
        raise IdentifierError(f"the value is longer than {MAX_LENGTH} characters")
    if "\x00" in value or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value)):
        raise IdentifierError("the value holds a character that is no text (NUL or a lone surrogate)")
    if scheme == "email":
        return f"email:{_email(value)}"
    if scheme == "phone":
        return f"phone:{_phone(value)}"
    if scheme in ("user", "account") or _SCOPED.match(scheme):
        return f"{scheme}:{value}"
    raise IdentifierError(
        "unknown scheme: use user, email, phone, account, <source>.user, <source>.contact or <source>.org"
    )


def _email(value: str) -> str:
    folded = value.lower()
    if not _EMAIL.match(folded):
        raise IdentifierError("an email address has one @ with text on both sides and no spaces")
    return folded


def _phone(value: str) -> str:
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException as error:
        raise IdentifierError("a phone number is written in E.164, such as +4930123456") from error
    if not phonenumbers.is_possible_number(number):
        raise IdentifierError("the phone number is too short or too long for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_organisation(identifier: str) -> bool:
    """True for `account:…` and `<source>.org:…`, which name an organisation, not a person."""
    scheme = identifier.partition(":")[0]
    return scheme == "account" or scheme.endswith(".org")


def strength(identifier: str) -> int:
    """Sort key, strongest first: user, email, phone, sender's ids, organisations."""
    scheme = identifier.partition(":")[0]
    known = _STRENGTH.get(scheme)
    if known is not None:
        return known
    return _ORGANISATION_STRENGTH if scheme.endswith(".org") else _SCOPED_STRENGTH


def ordered(identifiers: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Without repetitions, strongest first, otherwise in the given order."""
    if len(identifiers) <= 1:
        return tuple(identifiers)
    return tuple(sorted(dict.fromkeys(identifiers), key=strength))
