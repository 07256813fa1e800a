"""What holds for every sender: signatures, deterministic ids, and no delivery that breaks an adapter."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.domain.pipeline import sort_delivery
from services.ingest.domain.sender import Bad, Sender, Unsigned, Verified
from services.ingest.senders import senders
from shared.events import decode, encode
from tests.contract.senders_table import NOW, all_fixtures, config, deliver, events, fixture
from tests.senders_kit import SECRETS, Request, sign

FIXTURES = all_fixtures()
VENDORS = sorted(senders())
SIGNED = [vendor for vendor in VENDORS if vendor != "cloudevents"]
TIMED = ("chatwoot", "standard-webhooks", "stripe")
BODY = b'{"any": "thing"}'


def _sender(vendor: str) -> Sender:
    return senders()[vendor]


def _request(vendor: str, *, secret: str | None = None, late_s: int = 0) -> Request:
    return sign(vendor, BODY, secret or SECRETS[vendor], at=NOW + timedelta(seconds=late_s))


def _other_secret(vendor: str) -> str:
    return "whsec_" + "QUJD" * 8 if vendor == "standard-webhooks" else "another secret"


def test_every_vendor_has_fixtures_and_a_secret() -> None:
    assert {vendor for vendor, _ in FIXTURES} == set(senders()) <= set(SECRETS)


@pytest.mark.parametrize("vendor", VENDORS)
def test_documented(vendor: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "senders.md").read_text()
    assert f"`{vendor}`" in page


@pytest.mark.parametrize("vendor", SIGNED)
class TestSignature:
    def test_by_any_of_several_active_secrets(self, vendor: str) -> None:
        delivery = _request(vendor).delivery(NOW)
        secrets = (_other_secret(vendor), SECRETS[vendor])
        assert _sender(vendor).verify(delivery, config(vendor, secrets=secrets), NOW) == Verified()

    def test_by_another_secret(self, vendor: str) -> None:
        delivery = _request(vendor, secret=_other_secret(vendor)).delivery(NOW)
        assert isinstance(_sender(vendor).verify(delivery, config(vendor), NOW), Bad)

    def test_without_any_active_secret(self, vendor: str) -> None:
        delivery = _request(vendor).delivery(NOW)
        assert isinstance(_sender(vendor).verify(delivery, config(vendor, secrets=()), NOW), Bad)

    def test_of_another_body(self, vendor: str) -> None:
        delivery = _request(vendor).delivery(NOW)._replace(body=BODY + b" ")
        assert isinstance(_sender(vendor).verify(delivery, config(vendor), NOW), Bad)

    def test_missing(self, vendor: str) -> None:
        delivery = _request(vendor).delivery(NOW)._replace(headers={})
        assert isinstance(_sender(vendor).verify(delivery, config(vendor), NOW), Unsigned)

    @pytest.mark.parametrize("late_s", [-301, 301])
    def test_replay_window(self, vendor: str, late_s: int) -> None:
        delivery = _request(vendor, late_s=late_s).delivery(NOW)
        verdict = _sender(vendor).verify(delivery, config(vendor), NOW)
        refused = vendor in TIMED or (vendor == "zendesk" and late_s > 0)
        assert isinstance(verdict, Bad if refused else Verified)

    @pytest.mark.parametrize("late_s", [-299, 299])
    def test_inside_the_replay_window(self, vendor: str, late_s: int) -> None:
        delivery = _request(vendor, late_s=late_s).delivery(NOW)
        assert _sender(vendor).verify(delivery, config(vendor), NOW) == Verified()


@pytest.mark.parametrize("vendor", VENDORS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_malformed_signatures_are_refused_and_never_raise(vendor: str, data: st.DataObject) -> None:
    request = _request(vendor).delivery(NOW)
    junk = st.one_of(
        st.text(st.characters(max_codepoint=255), max_size=40),
        st.sampled_from(
            ["", ",", "=", "v1", "v1,", ",,,", "t=,v1=", "sha256=", "sha1=é", "v1a,AAAA", "9" * 400]
        ),
        st.sampled_from([*request.headers.values()]),
    )
    names = [name for name in request.headers if name not in ("content-type", "user-agent")]
    headers = dict(request.headers) | data.draw(st.dictionaries(st.sampled_from(names), junk, min_size=1))
    verdict = _sender(vendor).verify(request._replace(headers=headers), config(vendor), NOW)
    if not isinstance(verdict, Bad | Unsigned):
        # Chance can leave what is signed as it was (another time that was signed is no chance).
        assert verdict == Verified()


@pytest.mark.parametrize(("vendor", "name"), FIXTURES)
def test_resent_delivery_has_the_same_ids(vendor: str, name: str) -> None:
    body = fixture(vendor, name)
    first, again = deliver(vendor, body, delivery_id="d-1"), deliver(vendor, body, delivery_id="d-1")
    ids = [event.id for event in events(first)]
    assert ids == [event.id for event in events(again)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("vendor", "name"), FIXTURES)
def test_resent_later_has_the_same_ids(vendor: str, name: str) -> None:
    source, sender, body = config(vendor), _sender(vendor), fixture(vendor, name)
    delivery = sign(vendor, body, SECRETS[vendor], at=NOW, delivery_id="d-1").delivery(NOW)
    later = delivery._replace(received_at=NOW + timedelta(hours=3))
    first, again = sort_delivery(sender, delivery, source), sort_delivery(sender, later, source)
    assert [one.event.id for one in first.sealed] == [one.event.id for one in again.sealed]


@pytest.mark.parametrize(("vendor", "name"), FIXTURES)
def test_events_survive_the_codec_and_belong_to_the_source(vendor: str, name: str) -> None:
    for event in events(deliver(vendor, fixture(vendor, name))):
        assert decode(encode(event)) == event
        assert event.source == "/sources/desk"


@pytest.mark.parametrize(("vendor", "name"), FIXTURES)
def test_truncated_body_is_rejected_whole(vendor: str, name: str) -> None:
    raw = json.dumps(fixture(vendor, name)).encode()
    for cut in {1, len(raw) // 3, len(raw) - 1}:
        result = deliver(vendor, raw[:cut])
        assert (result.rejected, result.faults, len(result.sealed)) == (1, 0, 0)
        assert result.reasons


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"7", b'"x"', b"{}", b"\xff\xfe", b"[" * 3000, b"{}{}"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_body_that_is_no_delivery_breaks_nothing(vendor: str, raw: bytes) -> None:
    result = deliver(vendor, raw)
    assert (result.faults, len(result.sealed)) == (0, 0)


_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -(10**30), 2**63, 1e308, -1.5, 0, -1]),
    st.text(max_size=8),
    st.sampled_from(
        ["0", "-1", "2026-01-01", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "NaN", "1e999"]
    ),
    st.just([]),
    st.just({}),
    st.just([None, {}, [], "x", 1]),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """The path of everything inside a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    for step, item in inner:
        found += _places(item, (*path, step))
    return found


def _mutated(body: Any, changes: list[tuple[tuple[Any, ...], Any, bool]]) -> Any:  # noqa: ANN401 - JSON
    result = copy.deepcopy(body)
    for path, value, drop in changes:
        parent = result
        try:
            for step in path[:-1]:
                parent = parent[step]
            if drop:
                del parent[path[-1]]
            else:
                parent[path[-1]] = copy.deepcopy(value)
        except (LookupError, TypeError):
            continue
    return result


@pytest.mark.parametrize(("vendor", "name"), FIXTURES)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_delivery_never_breaks_the_adapter(vendor: str, name: str, data: st.DataObject) -> None:
    body = fixture(vendor, name)
    change = st.tuples(st.sampled_from(_places(body) or [()]), _SCALARS, st.booleans())
    mutated = _mutated(body, data.draw(st.lists(change, min_size=1, max_size=4)))
    source = config(vendor, settings=data.draw(st.sampled_from([{}, {"customers_are": "person"}])))
    result = deliver(vendor, mutated, source, delivery_id="d-1")
    assert result.faults == 0, result.reasons
    assert all(reason.why for reason in result.reasons)
