"""Ids are version 5 UUIDs, and the same on every machine for ever."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from shared.events.ids import leaf_id, own_event_id, webhook_event_id

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
EVENT = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/event")
LEAF = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/leaf")


def named(*parts: str) -> str:
    return "".join(f"{len(part)}:{part}" for part in parts)


@given(st.lists(TEXTS, min_size=4, max_size=7))
def test_they_are_what_the_standard_library_makes_of_the_same_names(parts: list[str]) -> None:
    source, delivery, kind, *key = parts
    assert webhook_event_id(source, delivery, kind, tuple(key)) == str(uuid.uuid5(EVENT, named(*parts)))
    assert own_event_id(source, delivery) == str(uuid.uuid5(EVENT, named(source, delivery)))
    assert leaf_id(source) == str(uuid.uuid5(LEAF, named(source)))


def test_they_never_change() -> None:
    assert leaf_id("email:ann@example.com") == "a3167305-2ca4-57e2-a07a-2a01c0a47420"
    assert (
        webhook_event_id("/sources/desk", "d1", "ticket.opened", ("interaction", "1"))
        == "de7f8380-5b81-52c1-af90-e46168a45cd5"
    )
