"""Typeform: one answered question is one event, under the response's token.

The signature is `sha256=` + base64(HMAC-SHA256(secret, body)); it covers no time, so there is no replay
window. Who answered comes from hidden fields (or from an e-mail question). A free text after the only
question with a score is that answer's comment and no answer of its own, so that nobody's words count
twice; other texts stand for themselves. A partial response is told with `complete: false`, and the whole
one revises it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from msgspec import UNSET, UnsetType

from services.ingest.domain.build import EARLIEST, make_event
from services.ingest.domain.parsing import (
    flag,
    iso,
    items,
    mapping,
    need,
    need_mapping,
    number,
    plain_text,
    read_json,
    text,
    texts,
    whole,
)
from services.ingest.domain.sender import (
    Delivery,
    Element,
    Ignored,
    Outcome,
    Sender,
    Setup,
    SourceConfig,
    Unreadable,
    Unsigned,
    Verdict,
)
from services.ingest.domain.signatures import any_matches, hmac_base64
from services.ingest.senders._reading import both, prefixed, scoped, word_of
from shared.events import bodies as b
from shared.events import vocabulary as v

_SIGNATURE: Final = "typeform-signature"
_TEXTS: Final = ("short_text", "long_text")
_PERSON: Final = ("user_id", "user", "customer_id", "external_id")
_ACCOUNT: Final = ("account_id", "account", "company_id", "company")
_ABOUT: Final = ("ticket_id", "ticket", "conversation_id", "interaction")
_SCORED: Final = frozenset(("nps", "csat", "ces", "rating", "thumbs"))
_SCALES: Final = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}


class _Scored(NamedTuple):
    """What a scored answer is measured in. `scale` UNSET: the sender did not say."""

    metric: v.Metric
    score: int | float
    scale: tuple[int, int] | UnsetType


def verify(delivery: Delivery, source: SourceConfig, _now: datetime) -> Verdict:
    given = delivery.headers.get(_SIGNATURE)
    if not given:
        return Unsigned(_SIGNATURE)
    expected = [f"sha256={hmac_base64(secret, delivery.body)}" for secret in source.secrets]
    return any_matches([given.strip()], expected)


def explode(delivery: Delivery, source: SourceConfig) -> list[Element]:
    """One element per answer, so that an odd one keeps no other from being taken."""
    value = read_json(delivery.body)
    kind, response = both(lambda: need(value, "event_type"), lambda: need_mapping(value, "form_response"))
    event_id = text(value, "event_id")
    answers = [one for one in items(response, "answers") if isinstance(one, dict)]
    if kind not in ("form_response", "form_response_partial") or not answers:
        return [Element({"kind": kind, "response": {}, "answer": {}}, event_id)]
    comment = _comment(answers, source)
    shared = {key: one for key, one in response.items() if key != "answers"}
    shared["emails"] = [one.get("email") for one in answers if one.get("type") == "email"]
    elements = []
    for answer in answers:
        if comment is not None and answer is comment[1]:
            continue
        said = text(comment[1], "text") if comment is not None and answer is comment[0] else None
        parts = {"kind": kind, "response": shared, "answer": answer, "comment": said}
        elements.append(Element(parts, event_id))
    return elements


def normalise(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    value = element.value
    if value["kind"] not in ("form_response", "form_response_partial"):
        return Ignored("unknown event type")
    if not value["answer"]:
        return Ignored("no answers")
    response, answer = value["response"], value["answer"]
    (token, question), happened = both(
        lambda: both(lambda: need(response, "token"), lambda: _question(answer)),
        lambda: _time(response),
    )
    said = _said(response, answer, source)
    if said is None:
        return Ignored("an answer without score or words")
    hidden = mapping(response, "hidden")
    body = b.SurveyAnswered(
        response=token,
        question=question,
        wording=plain_text(text(_field(response, answer), "title")) or UNSET,
        survey=text(response, "form_id") or UNSET,
        complete=value["kind"] == "form_response",
        about=_about(hidden, source),
        **(said | ({"comment": plain_text(value["comment"])} if value["comment"] else {})),
    )
    event = make_event(
        source,
        delivery,
        element,
        "survey.answered",
        body,
        time=happened,
        identifiers=_who(response, hidden, source),
        account=_first(hidden, _ACCOUNT),
        region=text(hidden, "region"),
        language=text(hidden, "language") or text(hidden, "lang"),
        stage=word_of(v.STAGES, text(hidden, "stage")),
        channel=word_of(v.CHANNELS, text(hidden, "channel")),
        touchpoint=text(hidden, "touchpoint"),
        persona=text(hidden, "persona"),
        area=text(hidden, "area"),
        actor="customer",
    )
    return [event]


def _question(answer: dict[str, Any]) -> str:
    found = text(answer, "field", "id") or text(answer, "field", "ref")
    if found is None:
        raise Unreadable("/answers/field/id", "missing, blank or no text", "missing")
    return found


def _time(response: dict[str, Any]) -> datetime | None:
    """A partial response carries year 1 as the time of its submission: then the landing counts."""
    submitted = iso(response, "submitted_at")
    return submitted if submitted and submitted >= EARLIEST else iso(response, "landed_at")


def _field(response: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The question's definition; what the answer itself says of it where there is none."""
    wanted = text(answer, "field", "id")
    for one in items(response, "definition", "fields"):
        if wanted and text(one, "id") == wanted:
            return mapping(one)
    return mapping(answer, "field")


def _metric(answer: dict[str, Any], source: SourceConfig) -> str | None:
    """What the operator calls the question: by the setting `metrics`, or by a reference like `csat-2`."""
    ref = text(answer, "field", "ref") or ""
    pairs = (one.partition("=") for one in source.settings.get("metrics", "").split(","))
    named = {question.strip(): metric.strip() for question, _, metric in pairs}
    told = named.get(ref) or ref.lower().replace("_", "-").split("-")[0]
    return told if told in _SCORED else None


def _scored(response: dict[str, Any], answer: dict[str, Any], source: SourceConfig) -> _Scored | None:
    """The answer's score, where its question has one. Raises Unreadable for a score that is no number."""
    kind, told = text(answer, "field", "type") or "", _metric(answer, source)
    if kind == "yes_no" and told == "thumbs":
        yes = flag(answer, "boolean")
        if yes is None:
            raise Unreadable("/answers/boolean", "missing or no flag", "missing")
        return _Scored("thumbs", int(yes), (0, 1))
    if kind not in ("nps", "opinion_scale", "rating", "number") or (kind == "number" and told is None):
        return None
    score = number(answer, "number")
    if score is None:
        raise Unreadable("/answers/number", "missing or no number", "missing")
    metric = cast("v.Metric", told or ("nps" if kind == "nps" else "rating"))
    scale = _scale(kind, metric, mapping(_field(response, answer), "properties"), score)
    if not isinstance(scale, UnsetType) and not scale[0] <= score <= scale[1]:
        raise Unreadable("/answers/number", f"outside the scale {scale[0]} to {scale[1]}", "bad_field")
    return _Scored(metric, score, scale)


def _scale(
    kind: str, metric: str, properties: dict[str, Any], score: int | float
) -> tuple[int, int] | UnsetType:
    """From the question's steps; without them Typeform's own: 0 to 10 for opinions, 5 stars (or 10)."""
    steps = whole(properties, "steps")
    if kind == "nps":
        return (0, 10)
    if kind == "opinion_scale":
        start = 1 if flag(properties, "start_at_one") else 0
        return (start, start + steps - 1) if steps and 2 <= steps <= 101 else (0, 10)
    if kind == "rating":
        return (1, steps if steps and 2 <= steps <= 101 else 5 if score <= 5 else 10)
    return _SCALES.get(metric, UNSET)


def _said(response: dict[str, Any], answer: dict[str, Any], source: SourceConfig) -> dict[str, Any] | None:
    """metric, score, scale, choices or comment of one answer; None where it says nothing about experience."""
    scored = _scored(response, answer, source)
    if scored is not None:
        return {"metric": scored.metric, "score": scored.score, "scale": scored.scale}
    match text(answer, "type"):
        case "text":
            words = plain_text(text(answer, "text"))
            return {"metric": "text", "comment": words} if words else None
        case "choice":
            label = text(answer, "choice", "label") or text(answer, "choice", "other")
            return {"metric": "choice", "choices": (label,)} if label else None
        case "choices":
            other = text(answer, "choices", "other")
            labels = texts(answer, "choices", "labels") + ((other,) if other else ())
            return {"metric": "choice", "choices": labels} if labels else None
        case "boolean":
            yes = flag(answer, "boolean")
            return None if yes is None else {"metric": "choice", "choices": ("yes" if yes else "no",)}
    return None


def _is_scored(answer: dict[str, Any], source: SourceConfig) -> bool:
    kind, told = text(answer, "field", "type"), _metric(answer, source)
    return (
        kind in ("nps", "opinion_scale", "rating")
        or (kind == "number" and told is not None)
        or (kind == "yes_no" and told == "thumbs")
    )


def _comment(
    answers: list[dict[str, Any]], source: SourceConfig
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """(scored answer, the first free text after it), if just one answer has a score."""
    scored = [index for index, one in enumerate(answers) if _is_scored(one, source)]
    if len(scored) != 1:
        return None
    for one in answers[scored[0] + 1 :]:
        if text(one, "field", "type") in _TEXTS and text(one, "text"):
            return answers[scored[0]], one
    return None


def _first(hidden: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((one for name in names if (one := text(hidden, name))), None)


def _who(response: dict[str, Any], hidden: dict[str, Any], source: SourceConfig) -> list[str | None]:
    emails = [text(hidden, "email"), *texts(response, "emails")]
    return [
        prefixed("user", _first(hidden, _PERSON)),
        prefixed("email", next((one for one in emails if one), None)),
        prefixed("phone", text(hidden, "phone")),
        scoped(_of_desk(source, "user"), text(hidden, "requester_id")),
    ]


def _of_desk(source: SourceConfig, scheme: str) -> Callable[[str], str]:
    """Ids of people in the help desk that sent the survey: `settings.tickets_of` names its source."""
    desk = source.settings.get("tickets_of", source.id)
    return lambda value: f"{desk}.{scheme}:{value}"


def _about(hidden: dict[str, Any], source: SourceConfig) -> str | b.Reference | UnsetType:
    ticket, desk = _first(hidden, _ABOUT), source.settings.get("tickets_of")
    if ticket is None:
        return UNSET
    return b.Reference(source=f"/sources/{desk}", id=ticket) if desk else ticket


SENDER: Final = Sender(
    vendor="typeform",
    verify=verify,
    explode=explode,
    normalise=normalise,
    setup=Setup(
        where="the form > Connect > Webhooks > Add a webhook",
        switch_on=("Submissions", "Partial submissions, if you want them"),
        secret="a text of your own, entered at the webhook under Secret",  # noqa: S106 - says where it is
        notes=(
            "Add hidden fields user_id or email, so that an answer has a customer; also account, ticket_id,"
            " region, language, touchpoint.",
            "Begin a question's reference with nps, csat, ces, rating or thumbs to say what it measures,"
            " or name it in settings.metrics, such as: 0e1f-ref=csat, 77ab-ref=ces.",
            "settings.tickets_of names the source whose tickets the hidden ticket_id means.",
        ),
    ),
)
