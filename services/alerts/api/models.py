"""Bodies of requests and answers."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import model_validator as validated

from services.alerts.domain.councils import SCOPE_KEYS, Council, Person
from services.alerts.domain.lifecycle import DismissReason
from services.alerts.sending.targets import host_of
from shared.events import alerts as wire
from shared.runtime.instants import Instant

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Note = Annotated[str, StringConstraints(max_length=2000)]


class Model(BaseModel):
    model_config = ConfigDict(extra="ignore")


def _mail_address(value: str) -> str:
    """One @ with text around it, nothing that could begin another header or receiver."""
    value = value.strip()
    if not re.fullmatch(r"[^\s@,<>;]+@[^\s@,<>;]+", value) or not value.isprintable() or "=?" in value:
        raise ValueError("an email address such as ann@example.com")
    return value


_Mail = Field(json_schema_extra={"format": "email"})
Email = Annotated[str, StringConstraints(max_length=320), AfterValidator(_mail_address), _Mail]


class PersonModel(Model):
    name: Name
    email: Email | None = None
    role: Name | None = None


def _person(value: Any) -> Any:  # noqa: ANN401 - what came in
    """A bare text is a name, or an address that serves as one."""
    if isinstance(value, str):
        return {"name": value, "email": value if "@" in value else None}
    if isinstance(value, dict) and "name" not in value and "email" in value:
        return value | {"name": value["email"]}
    return value


class AddressModel(Model):
    email: Email


Member = Annotated[
    PersonModel, BeforeValidator(_person, json_schema_input_type=PersonModel | AddressModel | Name)
]


def _listed(value: Any) -> Any:  # noqa: ANN401 - what came in
    return [value] if isinstance(value, str) else value


Names = Annotated[list[Name], Field(min_length=1, max_length=500)]
Values = Annotated[Names, BeforeValidator(_listed, json_schema_input_type=Names | Name)]


class CouncilBody(Model):
    """`scope`: allowed values by attribute; all attributes named must fit. No scope: every customer."""

    name: Name | None = None
    sponsor: Member | None = None
    members: list[Member] = Field([], max_length=200)
    scope: dict[str, Values] = {}

    @validated(mode="after")
    def _known(self) -> CouncilBody:
        unknown = sorted(set(self.scope) - set(SCOPE_KEYS))
        if unknown:
            raise ValueError(f"scope knows {', '.join(SCOPE_KEYS)}; not {', '.join(unknown)[:100]}")
        return self


class NewCouncil(CouncilBody):
    id: Id


class CouncilModel(Model):
    id: str
    name: str
    sponsor: PersonModel | None
    members: list[PersonModel]
    scope: dict[str, list[str]]

    @classmethod
    def of(cls, council: Council) -> CouncilModel:
        return cls(
            id=council.id,
            name=council.name,
            sponsor=_shown(council.sponsor) if council.sponsor else None,
            members=[_shown(member) for member in council.members],
            scope={name: list(values) for name, values in council.scope.items()},
        )


def _shown(person: Person) -> PersonModel:
    return PersonModel.model_construct(name=person.name, email=person.email, role=person.role)


def _secret(value: str) -> str:
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not value.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("whsec_ and base64 of 24 to 64 bytes; leave it out and one is made")
    return value


Addresses = Annotated[list[Email], Field(min_length=1, max_length=50)]


class EndpointBody(Model):
    """A receiver. `councils`: whose alerts it gets, all when empty. `to`: one address or several."""

    kind: Literal["webhook", "email", "notify"]
    url: Annotated[str, StringConstraints(max_length=4000)] | None = None
    to: Annotated[Addresses, BeforeValidator(_listed, json_schema_input_type=Addresses | Email)] | None = None
    councils: list[Id] = Field([], max_length=200)
    secret: Annotated[str, StringConstraints(max_length=200), AfterValidator(_secret)] | None = None
    detail: Literal["full", "reference"] = "full"

    @validated(mode="after")
    def _fits(self) -> EndpointBody:
        if self.kind == "email":
            if not self.to:
                raise ValueError("an email endpoint needs `to`")
        elif not self.url:
            raise ValueError(f"a {self.kind} endpoint needs `url`")
        elif self.kind == "webhook":
            host_of(self.url)
        if self.secret and self.kind != "webhook":
            raise ValueError("only webhooks have a secret")
        return self

    @property
    def target(self) -> str:
        return ",".join(self.to or ()) if self.kind == "email" else self.url or ""


class NewEndpoint(EndpointBody):
    id: Id


class EndpointModel(Model):
    """`secret` is there once, in the answer that made it."""

    id: str
    kind: str
    url: str | None = None
    to: list[str] | None = None
    councils: list[str]
    detail: str
    enabled: bool
    disabled_reason: str | None = None
    created_at: Instant
    secret: str | None = None


class SecretModel(Model):
    """The new secret; the old one signs beside it until `old_until`."""

    id: str
    secret: str
    old_until: Instant


class ActionBody(Model):
    """`to`: whom it is assigned to; `action`: what was done; `until`: end of a snooze; `reason`: of a
    dismissal."""

    by: Name
    note: Note | None = None
    to: Name | None = None
    action: Annotated[str, StringConstraints(max_length=200)] | None = None
    until: Instant | None = None
    reason: DismissReason | None = None


class AttemptModel(Model):
    at: str
    outcome: str
    status: int | None = None
    detail: str | None = None


class DeliveryModel(Model):
    """`state`: pending, delivered, dead (given up) or cancelled (its endpoint is gone)."""

    id: str
    endpoint: str
    alert: str | None
    version: int
    what: str
    attempts: list[AttemptModel]
    state: str
    next_at: Instant | None = None
    created_at: Instant


class EventPointsModel(Model):
    id: str
    at: str
    type: str
    points: float
    open: bool = False
    count: int = 1


class ContributionModel(Model):
    signal: str
    label: str
    points: float
    coverage: float
    events: list[EventPointsModel]


class ReasonEventModel(Model):
    id: str
    at: str
    type: str
    summary: str | None = None
    text: str | None = None
    url: str | None = None
    points: float | None = None


class ReasonModel(Model):
    text: str
    contributions: list[ContributionModel] = []
    events: list[ReasonEventModel] = Field([], max_length=5)


class LevelsModel(Model):
    health: float | None = None
    relationship: float | None = None
    risk: float | None = None


class BeforeAfterModel(Model):
    before: LevelsModel
    after: LevelsModel


class AlertCustomerModel(Model):
    identifiers: list[str] = []
    name: str | None = None
    account: str | None = None
    region: str | None = None
    persona: str | None = None
    value: int | None = None
    currency: str | None = None
    renewal_at: str | None = None


class HistoryModel(Model):
    at: str
    by: str
    what: str
    note: str | None = None


class AlertModel(Model):
    """An alert. `version` rises with every change and is the ETag."""

    id: str
    rule: str = Field(description="The gravest of `rules`.")
    customer_id: str | None
    account_id: str | None
    council: str
    state: wire.AlertState
    severity: wire.Severity
    title: str
    url: str | None
    opened_at: Instant
    owner: str | None
    due_at: Instant | None
    reason: ReasonModel
    suggestion: str
    scores: BeforeAfterModel
    customer: AlertCustomerModel
    history: list[HistoryModel]
    version: int
    rules: list[str] = []
    driver: wire.Driver = "experience"
    merged_into: str | None = None
