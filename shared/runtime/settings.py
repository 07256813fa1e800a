"""Settings of a service, read from the environment once, at the composition root."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.db.urls import asyncpg_url

KEY_BYTES = 32


def decode_key(text: str) -> bytes:
    """A secret key as bytes: base64, standard or URL-safe, of 32 bytes. Raises ValueError."""
    try:
        key = base64.b64decode(text.strip().translate(str.maketrans("-_", "+/")) + "==", validate=False)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("not base64 of 32 bytes; make one with: openssl rand -base64 32")
    return key


def _secret_keys(value: SecretStr) -> SecretStr:
    for part in value.get_secret_value().split(","):
        decode_key(part)
    return value


def _database_url(value: str) -> str:
    asyncpg_url(value)
    return value


SecretKey = Annotated[SecretStr, AfterValidator(_secret_keys)]


class ServiceSettings(BaseSettings):
    """Settings every service has; a service adds its own in a subclass.

    Every name is read from the environment with the prefix `CXLOOP_`, apart from the two that other
    programs share. Values never appear in logs or errors when they are secret.
    """

    model_config = SettingsConfigDict(
        env_prefix="CXLOOP_",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        repr=False,
        description="PostgreSQL 15 or later: postgresql://user:password@host:port/name, or over a Unix "
        "socket postgresql://user@/name?host=/directory.",
    )
    kafka_bootstrap_servers: str = Field(
        validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS", "kafka_bootstrap_servers"),
        description="Apache Kafka 3.9 or later: host:port, several separated by commas.",
    )
    host: str = Field("127.0.0.1", description="Address the HTTP server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the HTTP server listens on.")
    secret_key: SecretKey = Field(
        description="Base64 of 32 bytes. Encrypts secrets at rest and keys the hashes of identifiers. "
        "Several, separated by commas: the first encrypts, all decrypt.",
    )
    database_pool: int = Field(10, ge=2, le=200, description="Database connections of this process.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object per line, or text.")
    audit_days: int = Field(
        365, ge=30, le=36_500, description="Days for which the audit log of management calls is kept."
    )
    shutdown_grace_s: float = Field(
        5.0, ge=0, le=300, description="Seconds in which requests and batches may end after SIGTERM."
    )

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """From the environment; `overrides` by field name win. Raises pydantic.ValidationError."""
        return cls.model_validate(overrides)

    @classmethod
    def of_environment(cls) -> Self:
        """As `load`, for a process: it ends with a line for each setting that is missing or wrong."""
        try:
            return cls.load()
        except ValidationError as error:
            wrong = [cls._said("".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
            lines = "\n  ".join(["cxloop: settings in the environment are missing or wrong:", *wrong])
            raise SystemExit(lines) from None

    @classmethod
    def _said(cls, name: str, message: str) -> str:
        field = cls.model_fields.get(name.lower())
        variable = f"CXLOOP_{name.upper()}" if name in cls.model_fields else name
        meaning = field.description if field else None
        return f"{variable or 'all'}: {message.removeprefix('Value error, ')}. {meaning or ''}".rstrip()
