"""This machine's address in every spelling: refused at creation, and not connected to."""

from __future__ import annotations

from typing import Final

import pytest
from pydantic import ValidationError

from services.alerts.api.models import EndpointBody
from services.alerts.domain.retry import Outcome
from services.alerts.sending.guard import Guard, Refused
from services.alerts.sending.targets import host_of
from tests.edge.targets import Listener, deliver, listener

__all__ = ["listener"]

# Every way to write this machine that a resolver or parser may understand. {p}: the port of a server here.
SPELLINGS: Final = (
    "http://127.0.0.1:{p}/",
    "http://127.1:{p}/",
    "http://127.0.1:{p}/",
    "http://127.000.000.001:{p}/",
    "http://0177.0.0.1:{p}/",
    "http://0177.1:{p}/",
    "http://017700000001:{p}/",
    "http://0x7f.0.0.1:{p}/",
    "http://0x7f.1:{p}/",
    "http://0x7f000001:{p}/",
    "http://0X7F000001:{p}/",
    "http://2130706433:{p}/",
    "http://127.0.0.1.:{p}/",
    "http://0:{p}/",
    "http://0.0.0.0:{p}/",
    "http://0x0:{p}/",
    "http://[::1]:{p}/",
    "http://[0:0:0:0:0:0:0:1]:{p}/",
    "http://[::]:{p}/",
    "http://[::ffff:127.0.0.1]:{p}/",
    "http://[::ffff:7f00:1]:{p}/",
    "http://[::127.0.0.1]:{p}/",
    "http://[::1%25lo]:{p}/",
    "http://[::1%lo]:{p}/",
    "http://[127.0.0.1]:{p}/",
    "http://localhost:{p}/",
    "http://LOCALHOST:{p}/",
    "http://localhost.:{p}/",
    "http://hooks.localhost:{p}/",
    "http://１２７.0.0.1:{p}/",
    "http://127。0。0。1:{p}/",
    "http://127．0．0．1:{p}/",
    "http://①②⑦.⓪.⓪.①:{p}/",
    "http://١٢٧.٠.٠.١:{p}/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{p}/",
    "http://localhoſt:{p}/",
    "http://%31%32%37.0.0.1:{p}/",
    "http://127.0.0.1%2f:{p}/",
    "http://good.example@127.0.0.1:{p}/",
    "http://good.example:80@127.0.0.1:{p}/",
    "http://good.example%40127.0.0.1:{p}/",
    "http://a@b@127.0.0.1:{p}/",
    "http://127.0.0.1:{p}\\@good.example/",
    "http://127.0.0.1:{p}\\.good.example/",
    "http:\\\\127.0.0.1:{p}/",
    "http:/\\127.0.0.1:{p}/",
    "http:///127.0.0.1:{p}/",
    "http:127.0.0.1:{p}/",
    "//127.0.0.1:{p}/",
    "127.0.0.1:{p}",
    "http://127.0.0.1:{p}#@good.example/",
    "http://127.0.0.1:{p}?@good.example/",
    "http://127.0.0.1:{p};@good.example/",
    " http://127.0.0.1:{p}/",
    "http:// 127.0.0.1:{p}/",
    "http://127.0.0.1 :{p}/",
    "http://127.0.0.1\t:{p}/",
    "http://127.0.0.1\r\n:{p}/",
    "http://127.0.0.1:{p}/\r\nHost: good.example",
    "http://127.0.0.1:{p}/\r\n\r\nGET /admin HTTP/1.1",
    "http://127.0.0.1\u00a0:{p}/",
    "http://127.0.0.1\u200b:{p}/",
    "http://127.0.0.1\x00.good.example:{p}/",
    "http://127.0.0.1%00.good.example:{p}/",
    "ht\ntp://127.0.0.1:{p}/",
    "HTTP://127.0.0.1:{p}/",
    "https://127.0.0.1:{p}/",
    "ftp://127.0.0.1:{p}/",
    "gopher://127.0.0.1:{p}/_x",
    "file:///etc/passwd",
    "unix:///run/x.sock",
    "http+unix://%2Frun%2Fx.sock/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "jar:http://127.0.0.1:{p}!/",
    "ws://127.0.0.1:{p}/",
)
"""`localhost` in other letters and escaped hosts are refused as no names, not as internal ones."""

BAD_URLS: Final = (
    "",
    "x",
    "http://",
    "http:///path",
    "http://:80/",
    "http://good.example:0/",
    "http://good.example:65536/",
    "http://good.example:-1/",
    "http://good.example:abc/",
    "http://good.example:٨٠/",
    "http://good.example:80:80/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[not-an-address]/",
    "http://[v1.x]/",
    "http://a..example/",
    "http://.example/",
    "http://.../",
    f"http://{'a' * 64}.example/",
    f"http://{'a.' * 130}example/",
    "http://exa mple.com/",
    "http://ﬀ.example/",
    "http://user@good.example/",
    "http://user:password@good.example/",
    "http://:password@good.example/",
    "http://@good.example/",
    "http://good.example\\evil/",
)
GOOD_URLS: Final = (
    ("https://good.example/hook", "good.example"),
    ("https://good.example.:8443/hook?x=1#y", "good.example."),
    ("http://bücher.example/", "xn--bcher-kva.example"),
    ("http://xn--bcher-kva.example/", "xn--bcher-kva.example"),
    ("http://8.8.8.8/", "8.8.8.8"),
    ("http://[2606:4700::1111]:8080/", "2606:4700::1111"),
    ("http://a_b.example/%40@x", "a_b.example"),
    ("http://good.example?x=@y", "good.example"),
    ("HTTPS://GOOD.example:65535", "good.example"),
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_this_machine_is_refused_at_creation_however_it_is_spelt(spelling: str) -> None:
    url = spelling.replace("{p}", "8080")
    with pytest.raises((ValueError, Refused)) as refused:
        Guard().check_literal(host_of(url))
    assert "127" not in str(refused.value)
    with pytest.raises((ValidationError, Refused)):
        Guard().check_literal(host_of(EndpointBody.model_validate({"kind": "webhook", "url": url}).url or ""))


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_and_is_not_connected_to_if_it_got_that_far(spelling: str, listener: Listener) -> None:
    """As if it had been stored by an older version: every spelling is resolved, judged, and not reached."""
    result = await deliver(spelling.replace("{p}", str(listener.port)), Guard())
    assert result.outcome in (Outcome.REFUSED, Outcome.FAILED, Outcome.UNREACHABLE), result
    assert listener.reached == []
    assert "127" not in (result.detail or "")


@pytest.mark.parametrize("spelling", ["http://127.1:{p}/", "http://0x7f000001:{p}/", "http://localhost:{p}/"])
async def test_what_is_allowed_is_reached_in_every_spelling(spelling: str, listener: Listener) -> None:
    guard = Guard(["127.0.0.0/8", "::1"])
    url = spelling.replace("{p}", str(listener.port))
    guard.check_literal(host_of(url))
    assert (await deliver(url, guard)).outcome is Outcome.DELIVERED
    assert len(listener.reached) == 1


@pytest.mark.parametrize("url", BAD_URLS)
def test_what_is_no_address_of_a_webhook_is_refused_at_creation(url: str) -> None:
    with pytest.raises(ValidationError):
        EndpointBody.model_validate({"kind": "webhook", "url": url})


@pytest.mark.parametrize(("url", "host"), GOOD_URLS)
def test_what_is_one_is_taken(url: str, host: str) -> None:
    assert host_of(url) == host
    Guard().check_literal(host)
    assert EndpointBody.model_validate({"kind": "webhook", "url": url}).url == url
