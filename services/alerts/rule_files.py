"""Rule documents: YAML in the tree, JSON over HTTP, one shape for both; checked before they count."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.alerts.domain import rules as domain
from shared.events.alerts import Driver, Severity
from shared.events.codec import PREFIX, SUFFIX
from shared.events.scores import ScoreName
from shared.events.times import DAY, HOUR, MINUTE, SECOND, Micros
from shared.events.vocabulary import Priority

SHIPPED: Final = Path(__file__).parent / "policies"
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION: Final = re.compile(r"(\d{1,6})(s|m|h|d)\Z")


def duration(text: str) -> Micros:
    """`90s`, `30m`, `2h`, `14d` as microseconds. Raises ValueError."""
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError("write a duration as a whole number and s, m, h or d, such as 2h or 14d")
    return int(match[1]) * _UNITS[match[2]]


def _checked(text: str) -> str:
    duration(text)
    return text.strip()


Duration = Annotated[str, AfterValidator(_checked), Field(examples=["2h", "14d"])]
RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LevelDocument(Document):
    """A score beyond `entry`, with at least `min_evidence`; told again after it was back at `exit`."""

    kind: Literal["level"]
    score: ScoreName
    entry: float = Field(ge=0, le=100)
    exit: float = Field(ge=0, le=100)
    min_evidence: float = Field(0, ge=0, description="Decayed episodes.")
    dwell: Duration = Field("0s", description="How long it has to last when only time made it worse.")

    @model_validator(mode="after")
    def _ordered(self) -> LevelDocument:
        wrong = self.exit > self.entry if self.score == "risk" else self.exit < self.entry
        if wrong:
            raise ValueError("exit must lie on the good side of entry: below it for risk, else above it")
        return self

    def build(self) -> domain.Condition:
        return domain.Level(self.score, self.entry, self.exit, self.min_evidence, duration(self.dwell))


class FallDocument(Document):
    """A fall by `points` within `within`; over when less than `exit_points` are left of it."""

    kind: Literal["fall"]
    score: Literal["health"] = "health"
    points: float = Field(gt=0, le=100)
    exit_points: float = Field(ge=0, le=100)
    within: Duration = "7d"

    @model_validator(mode="after")
    def _window(self) -> FallDocument:
        if duration(self.within) > 7 * DAY:
            raise ValueError("a fall is followed over 7 days at most")
        return self

    def build(self) -> domain.Condition:
        return domain.Fall(self.score, self.points, self.exit_points, duration(self.within))


class AnswerDocument(Document):
    """A survey answer at or below the limit of its metric; 0 is the worst answer, 1 the best."""

    kind: Literal["answer"]
    limits: dict[Literal["nps", "csat", "ces", "rating", "thumbs"], Annotated[float, Field(ge=0, le=1)]]

    def build(self) -> domain.Condition:
        return domain.Answer(tuple(self.limits.items()))


class HappenedDocument(Document):
    """An event of one of the types (short form, `subscription.cancel_scheduled`)."""

    kind: Literal["happened"]
    types: list[str] = Field(min_length=1)
    undone_by: list[str] = []

    def build(self) -> domain.Condition:
        return domain.Happened(tuple(map(_short, self.types)), tuple(map(_short, self.undone_by)))


def _short(event_type: str) -> str:
    """`cxloop.review.posted.v1` and `review.posted` are one type."""
    return event_type.removeprefix(PREFIX).removesuffix(SUFFIX)


class PromiseBrokenDocument(Document):
    """A customer waits beyond the promise, and is one of these personas, of the most valuable share, or
    the matter has one of these priorities."""

    kind: Literal["promise_broken"]
    personas: list[str] = []
    top_value_share: float | None = Field(None, gt=0, lt=1)
    priorities: list[Priority] = []

    def build(self) -> domain.Condition:
        return domain.PromiseBroken(tuple(self.personas), self.top_value_share, tuple(self.priorities))


class RenewalNearDocument(Document):
    """The renewal is near while risk is high or unknown."""

    kind: Literal["renewal_near"]
    within: Duration = "90d"
    risk: float = Field(ge=0, le=1)

    def build(self) -> domain.Condition:
        return domain.RenewalNear(duration(self.within), self.risk)


class SilenceDocument(Document):
    """Nothing heard for `factor` times the customer's own gap, and for `at_least`."""

    kind: Literal["silence"]
    factor: float = Field(3, gt=1)
    at_least: Duration = "45d"

    def build(self) -> domain.Condition:
        return domain.Silence(self.factor, duration(self.at_least))


When = Annotated[
    LevelDocument
    | FallDocument
    | AnswerDocument
    | HappenedDocument
    | PromiseBrokenDocument
    | RenewalNearDocument
    | SilenceDocument,
    Field(discriminator="kind"),
]


class RuleDocument(Document):
    """A rule: when it fires, how grave that is, and what to do about it."""

    id: RuleId
    title: str = Field(min_length=1, max_length=100)
    suggestion: str = Field(min_length=1, max_length=1000)
    driver: Driver = Field("experience", description="A customer has one open alert per driver.")
    severity: Severity
    when: When
    cooldown: Duration = Field("0s", description="Least time between two firings for one customer.")
    subjects: list[domain.Subject] = Field(["customer"], min_length=1)
    enabled: bool = True

    def build(self) -> domain.Rule:
        return domain.Rule(
            id=self.id,
            title=self.title,
            suggestion=self.suggestion,
            driver=self.driver,
            severity=self.severity,
            when=self.when.build(),
            cooldown=duration(self.cooldown),
            subjects=tuple(self.subjects),
            enabled=self.enabled,
        )


def shipped() -> list[RuleDocument]:
    """The rules that come with the product, in the order of their file names. Raises ValueError."""
    documents = []
    for path in sorted(SHIPPED.glob("*.yaml")):
        try:
            documents.append(RuleDocument.model_validate(yaml.safe_load(path.read_text("utf-8"))))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    return documents


def schema() -> dict[str, Any]:
    """JSON schema of a rule document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | RuleDocument.model_json_schema()


def written_schema() -> str:
    """The schema as it is kept beside the rules, for editors and reviews."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    (SHIPPED / "rule.schema.json").write_text(written_schema(), "utf-8")
