"""Which targets are refused."""

from __future__ import annotations

import ipaddress
import socket
import threading

import pytest

from services.alerts.sending.guard import Guard, Refused
from services.alerts.sending.guarded_threads import Leash, begin, guarded_thread, last_refusal
from services.alerts.sending.transport import GuardedTransport

INTERNAL = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
]
PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        Guard().judge("name.example.com", [address])


@pytest.mark.parametrize("address", PUBLIC)
def test_public_is_allowed(address: str) -> None:
    Guard().judge("name.example.com", [address])


def test_one_internal_address_among_public_ones_is_enough() -> None:
    with pytest.raises(Refused, match="CXLOOP_ALLOW_TARGETS"):
        Guard().judge("name.example.com", ["8.8.8.8", "10.0.0.1"])


@pytest.mark.parametrize(
    ("allow", "host", "address", "allowed"),
    [
        ("127.0.0.0/8", "localhost", "127.0.0.1", True),
        ("127.0.0.0/8", "x", "::ffff:127.0.0.1", True),
        ("127.0.0.0/8", "x", "10.0.0.1", False),
        ("10.0.0.5", "x", "10.0.0.5", True),
        ("10.0.0.5", "x", "10.0.0.6", False),
        ("::1", "x", "::1", True),
        ("[::1]", "x", "::1", True),
        ("hooks.internal", "HOOKS.internal.", "10.0.0.1", True),
        ("hooks.internal", "evil.hooks.internal", "10.0.0.1", False),
    ],
)
def test_allow_list(allow: str, host: str, address: str, allowed: bool) -> None:
    assert Guard([allow]).allows(host, ipaddress.ip_address(address)) is allowed


async def test_the_transport_connects_to_nothing_that_was_not_checked() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["169.254.169.254"]

    transport = GuardedTransport(Guard(), resolve)
    with pytest.raises(Refused):
        await transport.post("http://metadata.example.com/latest", {}, b"", 5)
    assert asked == ["metadata.example.com"]


async def test_a_name_without_address_is_no_refusal() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(OSError, match="no address"):
        await Guard().check("gone.example.com", 443, resolve)


def test_marked_threads_are_guarded_and_others_are_not() -> None:
    seen: list[object] = []

    def work() -> None:
        guarded_thread(Guard())
        begin(Leash())
        try:
            socket.getaddrinfo("127.0.0.1", 80)
        except Refused as refusal:
            seen.append(refusal)
        seen.append(last_refusal())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert len(seen) == 2
    assert seen[0] is seen[1]
    assert socket.getaddrinfo("127.0.0.1", 80)
    assert last_refusal() is None
