"""Requests and answers of the management API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ingest.domain import sourcecheck as check
from services.ingest.domain.sender import Auth
from shared.runtime.instants import Instant

# Documented here, checked by `domain.sourcecheck`, which tells every fault at once.
_WORDS = {"type": "string", "minLength": 1, "maxLength": 320}
_SECRET = {"type": "string", "minLength": 1, "maxLength": check.MAX_SECRET, "pattern": r"\S"}
Defaults = Annotated[
    dict[str, str],
    Field(
        json_schema_extra={"propertyNames": {"enum": list(check.DEFAULTS)}, "additionalProperties": _WORDS}
    ),
]
Secrets = Annotated[
    list[str], Field(json_schema_extra={"minItems": 1, "maxItems": check.MAX_SECRETS, "items": _SECRET})
]
Settings = Annotated[
    dict[str, str], Field(json_schema_extra={"propertyNames": {"pattern": "^[a-z0-9_]{1,40}$"}})
]
SECRETS_DOC = "All are active, so that one can be replaced without a gap. Never returned."
SETTINGS_DOC = (
    "Choices about the vendor. `rate_per_s` and `burst`: how many deliveries are taken a second in the "
    "long run, and at once."
)
DEFAULTS_DOC = "Fill what events leave open: region, stage, channel, language, persona, area and others."
CustomersAre = Literal["organisation", "person"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceIn(_Strict):
    """A new source."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "helpdesk",
                "vendor": "zendesk",
                "secrets": ["the signing secret that Zendesk shows"],
                "defaults": {"region": "emea"},
            }
        },
        extra="forbid",
    )

    id: str = Field(
        description="Part of the URL and of identifiers: a-z, 0-9 and -, 40 characters at most.",
        json_schema_extra={"pattern": "^[a-z0-9-]{1,40}$"},
    )
    vendor: str = Field(description="Whose deliveries these are.")
    secrets: Secrets = Field(description=SECRETS_DOC)
    auth: Auth | None = Field(None, description="How deliveries authenticate; default: as the vendor does.")
    defaults: Defaults = Field(default_factory=dict, description=DEFAULTS_DOC)
    settings: Settings = Field(default_factory=dict, description=SETTINGS_DOC)
    customers_are: CustomersAre | None = Field(
        None, description="What a billing customer is: an organisation (default) or a person."
    )


class SourceChange(_Strict):
    """What is absent stays; `secrets`, `defaults` and `settings` are replaced as a whole."""

    secrets: Secrets | None = Field(None, description=SECRETS_DOC)
    auth: Auth | None = Field(None, description="How deliveries authenticate.")
    defaults: Defaults | None = Field(None, description=DEFAULTS_DOC)
    settings: Settings | None = Field(None, description=SETTINGS_DOC)
    customers_are: CustomersAre | None = Field(None, description="An organisation or a person.")


class SourceOut(BaseModel):
    """A source, without its secrets."""

    id: str
    vendor: str
    url: str = Field(description="Where the vendor sends to; `{secret}` stands for the token in path mode.")
    auth: Auth
    secrets_active: int = Field(description="How many secrets are active.")
    defaults: Defaults
    settings: dict[str, Any] = Field(description="What to do at the vendor's, and the choices made here.")
    created_at: Instant
    updated_at: Instant


class ReasonOut(BaseModel):
    """Why, as a code and in words, and where in the delivery."""

    code: str
    where: str
    why: str


class RejectedOut(BaseModel):
    """A delivery that was not understood, or an event that scoring refused."""

    id: str
    source: str
    received_at: Instant
    reasons: list[ReasonOut]
    body: str = Field(description="The original bytes: as text, or in base64 where they are no UTF-8.")
    encoding: Literal["utf-8", "base64"]
    by: Literal["ingest", "scoring"]
    state: Literal["pending", "replayed"]
    event_id: str | None
    replayed_at: Instant | None


class ReplayOut(BaseModel):
    """What became of it with today's readers."""

    accepted: int
    rejected: int
    ignored: int
    ids: list[str]
    reasons: list[ReasonOut]
    state: Literal["pending", "replayed"]
