"""Settings of alerts, read from the environment (`CXLOOP_…`)."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Final

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from shared.runtime.settings import ServiceSettings

_HOST: Final = re.compile(r"[\w.:-]{1,253}\Z")


class Settings(ServiceSettings):
    """What every service has, and what only alerts knows."""

    port: int = Field(8003, ge=0, le=65535, description="Port the HTTP server listens on.")
    public_url: str | None = Field(
        None, description="Address under which this service is reached from outside."
    )
    console_url: str | None = Field(
        None, description="Address of the console; links in alerts lead there, else to this service's API."
    )
    smtp_url: SecretStr | None = Field(
        None,
        description="Mail server: smtp://user:password@host:587 (STARTTLS where offered) or smtps://….",
    )
    smtp_from: str = Field("cxloop@localhost", description="Sender of mails.")
    allow_targets: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Internal targets that deliveries may reach all the same: networks (10.1.0.0/16), "
        "addresses or host names, separated by commas. Everything else must be a public address.",
    )
    delivery_timeout_s: float = Field(15.0, gt=0, le=60, description="Seconds a receiver has to answer.")
    delivery_lanes: int = Field(4, ge=1, le=64, description="Deliveries to one endpoint at the same time.")
    delivery_days: int = Field(
        90, ge=1, le=3650, description="Days for which concluded deliveries stay in the log."
    )
    consumer_group: str = Field("cxloop-alerts", description="Kafka consumer group that reads scores.")

    @field_validator("allow_targets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("allow_targets")
    @classmethod
    def _known_targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """A mistyped network or a pattern would be a host name that nobody has."""
        for part in value:
            if "/" in part:
                ip_network(part, strict=False)
            elif not _HOST.match(part.strip("[]")):
                raise ValueError(
                    "networks (10.1.0.0/16), addresses and whole host names, separated by commas"
                )
        return value

    @property
    def alert_link(self) -> str:
        """Address of an alert, with `{id}` in it."""
        if self.console_url:
            return self.console_url.rstrip("/") + "/alerts/{id}"
        base = self.public_url or f"http://{self.host}:{self.port}"
        return base.rstrip("/") + "/v1/alerts/{id}"
