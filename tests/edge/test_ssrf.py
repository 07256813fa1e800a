"""Where deliveries may not go: addresses, names that lead to them, redirects, and what is allowed."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Final

import pytest
from pydantic import ValidationError

from services.alerts.domain.retry import Outcome
from services.alerts.sending.guard import Guard, Refused, resolve_host
from services.alerts.settings import Settings
from tests.edge.targets import Listener, answers, deliver, listener

__all__ = ["listener"]

# address, and what it is
INTERNAL: Final = (
    ("0.0.0.0", "this network"),
    ("0.1.2.3", "this network"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.1", "shared by carriers"),
    ("100.100.100.200", "metadata of a cloud, in the shared range"),
    ("100.127.255.255", "shared by carriers"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("168.63.129.16", "a cloud's own service in every machine"),
    ("169.254.0.1", "link-local"),
    ("169.254.169.254", "metadata of clouds"),
    ("169.254.170.2", "credentials of containers"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.1", "protocol assignments"),
    ("192.0.0.192", "metadata of a cloud"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("192.168.255.255", "private"),
    ("198.18.0.1", "benchmarks"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("224.0.0.251", "multicast"),
    ("239.255.255.250", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::2", "reserved"),
    ("::7f00:1", "IPv4-compatible loopback"),
    ("::ffff:127.0.0.1", "IPv4-mapped loopback"),
    ("::ffff:7f00:1", "the same in hex"),
    ("0:0:0:0:0:ffff:7f00:0001", "the same in full"),
    ("::ffff:a9fe:a9fe", "IPv4-mapped metadata"),
    ("::ffff:0.0.0.0", "IPv4-mapped this network"),
    ("::ffff:0:7f00:1", "IPv4-translated loopback"),
    ("64:ff9b::7f00:1", "NAT64 of loopback"),
    ("64:ff9b::10.0.0.1", "NAT64 of private"),
    ("64:ff9b::a9fe:a9fe", "NAT64 of metadata"),
    ("64:ff9b:1::808:808", "local NAT64"),
    ("100::1", "discard"),
    ("2001::1", "Teredo"),
    ("2001:0:7f00:1::", "Teredo, server on loopback"),
    ("2001:0:808:808:0:0:80ff:fffe", "Teredo, client on loopback"),
    ("2001:2::1", "benchmarks"),
    ("2001:10::1", "overlay"),
    ("2001:20::1", "overlay"),
    ("2001:db8::1", "documentation"),
    ("2002:7f00:1::", "6to4 of loopback"),
    ("2002:a00:1::", "6to4 of private"),
    ("2002:a9fe:a9fe::1", "6to4 of metadata"),
    ("2606:4700::5efe:7f00:1", "ISATAP of loopback"),
    ("2606:4700::200:5efe:10.0.0.1", "ISATAP of private"),
    ("3fff::1", "documentation"),
    ("4000::1", "not given out"),
    ("5f00::1", "segment routing"),
    ("fc00::1", "unique local"),
    ("fd00:ec2::254", "metadata of a cloud"),
    ("fdff:ffff::1", "unique local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local with its zone"),
    ("fe80::5efe:7f00:1", "link-local ISATAP"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "global multicast"),
)
PUBLIC: Final = (
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "2606:4700::5efe:808:808",
)


@pytest.mark.parametrize(("address", "what"), INTERNAL)
def test_what_is_internal_is_refused(address: str, what: str) -> None:
    for host in (address, "good.example"):
        with pytest.raises(Refused, match="CXLOOP_ALLOW_TARGETS"):
            Guard().judge(host, [address])


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_not(address: str) -> None:
    Guard().judge("good.example", [address])


@pytest.mark.parametrize(("address", "what"), INTERNAL)
async def test_a_name_that_resolves_there_is_refused_wherever_it_stands_among_others(
    address: str, what: str
) -> None:
    for found in ([address], ["8.8.8.8", address], [address, "8.8.8.8"]):
        result = await deliver("http://good.example/", Guard(), answers(found))
        assert result.outcome is Outcome.REFUSED, found


async def test_a_name_that_changes_its_mind_gains_nothing(listener: Listener) -> None:
    """Public when asked first, internal at every connection after: each connection is to what was judged."""
    resolve = answers(["8.8.8.8"], ["127.0.0.1"])
    await resolve("good.example", 80)  # type: ignore[operator]
    url = f"http://good.example:{listener.port}/"
    for _ in range(3):
        assert (await deliver(url, Guard(), resolve)).outcome is Outcome.REFUSED
    assert listener.reached == []


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:{p}/",
        "//127.0.0.1:{p}/",
        "/elsewhere",
        "file:///etc/passwd",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(
    location: str, status: int, listener: Listener
) -> None:
    asked: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(2000))
        target = location.replace("{p}", str(listener.port))
        head = (
            f"HTTP/1.1 {status} Moved\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        writer.write(head.encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        result = await deliver(url, Guard(["127.0.0.1"]))
    assert (result.outcome, result.status) == (Outcome.REDIRECT, status)
    assert len(asked) == 1
    assert listener.reached == []


@pytest.mark.parametrize(
    ("allow", "host", "address", "allowed"),
    [
        ("10.1.0.0/16", "x", "10.1.2.3", True),
        ("10.1.0.0/16", "x", "10.2.0.1", False),
        ("10.1.2.3/16", "x", "10.1.9.9", True),
        ("10.1.0.0/16", "x", "::ffff:10.1.2.3", True),
        ("10.1.0.0/16", "x", "64:ff9b::10.1.2.3", False),
        ("fd00::/8", "x", "fd00:ec2::254", True),
        ("fd00::/8", "x", "fe80::1", False),
        ("[fd00::1]", "x", "fd00::1", True),
        (" 127.0.0.1 ", "x", "127.0.0.1", True),
        ("127.0.0.1", "x", "127.0.0.2", False),
        ("hooks.internal", "hooks.internal", "10.0.0.1", True),
        ("HOOKS.internal.", "hooks.INTERNAL", "10.0.0.1", True),
        ("hooks.internal", "not-hooks.internal", "10.0.0.1", False),
        ("hooks.internal", "hooks.internal.evil.example", "10.0.0.1", False),
        ("*.internal", "hooks.internal", "10.0.0.1", False),
        (".internal", "hooks.internal", "10.0.0.1", False),
        ("bücher.internal", "xn--bcher-kva.internal", "10.0.0.1", True),
        ("xn--bcher-kva.internal", "Bücher.internal", "10.0.0.1", True),
        ("10.1.0.0/33", "x", "10.1.0.1", False),
        ("0x7f.1", "x", "127.0.0.1", False),
        ("", "x", "10.0.0.1", False),
    ],
)
def test_the_list_of_allowed_targets(allow: str, host: str, address: str, allowed: bool) -> None:
    assert Guard([allow]).allows(host, ipaddress.ip_address(address)) is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", ()),
        ("10.1.0.0/16, hooks.internal ,[fd00::1],", ("10.1.0.0/16", "hooks.internal", "[fd00::1]")),
        ("bücher.internal", ("bücher.internal",)),
        ("10.1.0.0/33", None),
        ("10.1.0/16", None),
        ("hooks.internal/8", None),
        ("*.internal", None),
        ("http://hooks.internal", None),
        ("hooks.internal:80 x", None),
    ],
)
def test_a_list_of_allowed_targets_that_is_none_is_told_at_the_start(
    text: str, allowed: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXLOOP_ALLOW_TARGETS", text)
    given = {
        "database_url": "postgresql://x/x",
        "kafka_bootstrap_servers": "x:1",
        "secret_key": "A" * 43 + "=",
    }
    if allowed is None:
        with pytest.raises(ValidationError, match=r"(?i)allow_targets"):
            Settings.load(**given)
    else:
        assert Settings.load(**given).allow_targets == allowed


@pytest.mark.parametrize("number", ["2130706433", "0x7f.1", "127.1", "017700000001", "0"])
async def test_numbers_are_resolved_without_asking_anybody(number: str) -> None:
    (address,) = await resolve_host(number, 80)
    assert ipaddress.ip_address(address) in (
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("0.0.0.0"),
    )
