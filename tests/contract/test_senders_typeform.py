"""Typeform: one event per answered question, people from hidden fields, words counted once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.senders_table import config, deliver, events, fixture, shown, told
from tests.senders_bodies import Json, typeform_nps, typeform_question, typeform_response

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def one(field: tuple[Json, Json], **more: Any) -> Json:  # noqa: ANN401 - fields of the response
    return typeform_response("tok", AT, [field[1]], [field[0]], **more)


def test_nps_with_its_comment_and_the_hidden_fields() -> None:
    assert told("typeform", "nps_with_comment") == [
        {
            "type": "survey.answered",
            "time": "2026-03-01T09:30:00Z",
            "identifiers": ("user:c-77", "email:robin@example.com"),
            "account": "acme",
            "region": "EMEA",
            "language": "de",
            "actor": "customer",
            "body": {
                "response": "tok1nps",
                "question": "14c0bbb5b4d8",
                "wording": "Would you recommend us?",
                "survey": "qT3nPs7x",
                "metric": "nps",
                "score": 3,
                "scale": (0, 10),
                "comment": "Nobody answered for three days.",
                "complete": True,
                "about": "5301",
            },
        }
    ]


def test_every_question_is_an_event_of_its_metric() -> None:
    answers = [event["body"] for event in told("typeform", "many_questions")]
    found = [(one["metric"], one.get("score"), one.get("scale"), one.get("choices")) for one in answers]
    assert found == [
        ("csat", 2, (1, 5), None),
        ("ces", 6, (1, 7), None),
        ("thumbs", 0, (0, 1), None),
        ("choice", None, None, ("Export",)),
        ("choice", None, None, ("Speed", "Price", "Words")),
        ("text", None, None, None),
    ]
    assert answers[-1]["comment"] == "Please call me & fix it"
    assert len({one["question"] for one in answers}) == 6


def test_partial_response_is_revised_by_the_whole_one() -> None:
    (partial,) = events(deliver("typeform", fixture("typeform", "nps_partial")))
    (whole,) = events(deliver("typeform", fixture("typeform", "nps_with_comment")))
    assert partial.id != whole.id
    keys = [(e["body"]["response"], e["body"]["question"]) for e in (shown(partial), shown(whole))]
    assert keys[0] == keys[1]
    assert shown(partial)["body"]["complete"] is False


@pytest.mark.parametrize("name", ["no_answers", "other_event"])
def test_nothing_to_tell(name: str) -> None:
    assert told("typeform", name) == []


@pytest.mark.parametrize(
    ("kind", "ref", "properties", "number", "metric", "scale"),
    [
        ("nps", "x", {}, 0, "nps", (0, 10)),
        ("opinion_scale", "x", {}, 7, "rating", (0, 10)),
        ("opinion_scale", "ces_ease", {"steps": 5, "start_at_one": True}, 5, "ces", (1, 5)),
        ("opinion_scale", "x", {"steps": 5}, 4, "rating", (0, 4)),
        ("rating", "x", {}, 4, "rating", (1, 5)),
        ("rating", "x", {}, 8, "rating", (1, 10)),
        ("rating", "csat-1", {"steps": 3}, 3, "csat", (1, 3)),
        ("number", "nps-typed", {}, 9, "nps", (0, 10)),
    ],
)
def test_metric_and_scale(
    kind: str, ref: str, properties: Json, number: int, metric: str, scale: tuple[int, int]
) -> None:
    question = typeform_question(
        kind, "?", {"type": "number", "number": number}, ref=ref, properties=properties
    )
    ((event,),) = [events(deliver("typeform", one(question)))]
    body = shown(event)["body"]
    assert (body["metric"], body["score"], body["scale"]) == (metric, number, scale)


def test_metric_named_by_the_settings() -> None:
    question = typeform_question("rating", "?", {"type": "number", "number": 4}, ref="q7")
    source = config("typeform", settings={"metrics": "other=nps, q7=csat"})
    (event,) = events(deliver("typeform", one(question), source))
    assert shown(event)["body"]["metric"] == "csat"


def test_number_without_a_metric_is_no_score() -> None:
    question = typeform_question("number", "How many seats?", {"type": "number", "number": 7}, ref="seats")
    assert deliver("typeform", one(question)).ignored == ("an answer without score or words",)


def test_two_scores_leave_the_words_to_themselves() -> None:
    asked = [
        typeform_question("nps", "?", {"type": "number", "number": 9}, ref="a"),
        typeform_question("rating", "?", {"type": "number", "number": 1}, ref="b"),
        typeform_question("long_text", "?", {"type": "text", "text": "Hm."}, ref="c"),
    ]
    body = typeform_response("tok", AT, [a for _, a in asked], [f for f, _ in asked])
    answers = [shown(event)["body"] for event in events(deliver("typeform", body))]
    assert [(one["metric"], one.get("comment")) for one in answers] == [
        ("nps", None),
        ("rating", None),
        ("text", "Hm."),
    ]


def test_ticket_of_another_source() -> None:
    source = config("typeform", settings={"tickets_of": "helpdesk"})
    hidden = {"ticket_id": "5301", "requester_id": "9001"}
    (event,) = events(deliver("typeform", typeform_nps("tok", AT, 9, hidden=hidden), source))
    assert event.identifiers == ("helpdesk.user:9001",)
    assert shown(event)["body"]["about"] == {"source": "/sources/helpdesk", "id": "5301"}


def test_anonymous_answer_counts_in_reports() -> None:
    (event,) = events(deliver("typeform", typeform_nps("tok", AT, 9)))
    assert event.identifiers == ()


def test_odd_answer_keeps_no_other_from_being_taken() -> None:
    body = fixture("typeform", "many_questions")
    body["form_response"]["answers"][0]["number"] = 9
    body["form_response"]["answers"][1]["number"] = "six"
    result = deliver("typeform", body)
    assert (len(result.sealed), result.rejected) == (4, 2)
    assert [reason.where for reason in result.reasons] == ["/0/answers/number", "/1/answers/number"]


def test_every_reason_is_told() -> None:
    result = deliver("typeform", {"event_id": "e"})
    assert [reason.where for reason in result.reasons] == ["/event_type", "/form_response"]
    body = fixture("typeform", "nps_with_comment")
    body["form_response"] |= {"token": " ", "submitted_at": "soon"}
    where = [reason.where for reason in deliver("typeform", body).reasons]
    assert where == ["/token", "/submitted_at"]
