"""Keys derived from the one secret key: encryption at rest and hashes of identifiers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from shared.events import Event
from shared.events.identifiers import is_organisation, ordered
from shared.runtime.settings import decode_key


class SecretError(ValueError):
    """The bytes were not encrypted with any of the keys at hand."""


def derive(secret_key: bytes, label: str) -> bytes:
    """32 bytes for one purpose: HKDF (RFC 5869) with SHA-256; the label keeps purposes apart."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label.encode()).derive(secret_key)


def secret_keys(secret_key: SecretStr | str | bytes) -> list[bytes]:
    """The raw keys of a setting: one, or several separated by commas, newest first."""
    if isinstance(secret_key, bytes):
        return [secret_key]
    text = secret_key.get_secret_value() if isinstance(secret_key, SecretStr) else secret_key
    return [decode_key(part) for part in text.split(",")]


class SecretBox:
    """Authenticated encryption of secrets at rest (Fernet); the newest key encrypts, all decrypt."""

    def __init__(self, fernet: MultiFernet) -> None:
        self._fernet = fernet

    @classmethod
    def from_key(cls, secret_key: SecretStr | str | bytes) -> Self:
        keys = [derive(key, "cxloop secret box v1") for key in secret_keys(secret_key)]
        return cls(MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys]))

    def encrypt(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def decrypt(self, token: bytes) -> bytes:
        """Raises SecretError."""
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            raise SecretError("encrypted with another secret key") from None


class KeyHasher:
    """HMAC-SHA256 of identifiers, so that topics and erasure lists name nobody."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_key(cls, secret_key: SecretStr | str | bytes) -> Self:
        return cls(derive(secret_keys(secret_key)[0], "cxloop identifier hash v1"))

    def digest(self, text: str) -> bytes:
        """32 bytes; the same text under the same secret key gives the same bytes."""
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def kafka_key(self, event: Event) -> bytes:
        """Key of the event on its topic: the strongest identifier of a person, else of an organisation,
        else the bare account, else the source; hexadecimal, 32 characters."""
        return self.digest(_subject(event))[:16].hex().encode()


def _subject(event: Event) -> str:
    identifiers = ordered(event.identifiers)
    if identifiers and not is_organisation(identifiers[0]):
        return identifiers[0]
    if event.account:
        return f"account:{event.account}"
    return identifiers[0] if identifiers else f"source:{event.source}"
