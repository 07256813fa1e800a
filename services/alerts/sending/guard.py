"""No delivery reaches an internal target: every address a name resolves to is checked, and only a
checked address is connected to, so that a name that changes its mind in between gains nothing."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import idna

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_ISATAP: Final = frozenset((0x5EFE, 0x0200_5EFE))
"""Upper half of an interface id below which an IPv4 address follows (RFC 5214, 6.1)."""
_NEVER: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "192.0.0.0/24",  # protocol assignments; a cloud keeps its metadata at 192.0.0.192
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's own service inside every virtual machine
        "2001::/23",  # Teredo, benchmarks, overlays
        "3fff::/20",  # documentation
    )
)
"""What Python's tables of this or that release take for global."""
RESOLVE_S: Final = 5.0
_RESOLVING: Final = ThreadPoolExecutor(64, "resolve")
"""Threads of our own: the event loop's few would all wait for names whose server does not answer."""


class Refused(OSError):  # noqa: N818 - a decision
    """The target is not allowed; the message says why and what allows it."""


class Guard:
    """`allow`: networks, addresses and host names that may be reached although they are internal."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._networks: list[Network] = []
        self._hosts: set[str] = set()
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry.strip().strip("[]"), strict=False))
            except ValueError:
                self._hosts.add(_plain(entry))

    def allows(self, host: str, address: Address) -> bool:
        if _plain(host) in self._hosts or any(_within(address, network) for network in self._networks):
            return True
        return all(is_public(part) for part in embedded(address))

    async def check(self, host: str, port: int, resolve: Resolve | None = None) -> list[str]:
        """Addresses of `host`, all of them allowed. Raises Refused, or OSError where there is none."""
        async with asyncio.timeout(RESOLVE_S):
            found = await (resolve or resolve_host)(host, port)
        self.judge(host, found)
        if not found:
            raise OSError("the name has no address")
        return list(found)

    def check_literal(self, host: str) -> None:
        """Raises Refused for a host that is an internal address in whatever spelling, or this machine's
        own name; asks nobody."""
        plain = _plain(host)
        if plain == "localhost" or plain.endswith(".localhost"):
            self.judge(host, ["127.0.0.1"])
            return
        with contextlib.suppress(socket.gaierror, UnicodeError):
            found = socket.getaddrinfo(plain, None, flags=socket.AI_NUMERICHOST)
            self.judge(host, [str(info[4][0]) for info in found])

    def judge(self, host: str, addresses: Iterable[str]) -> None:
        """Raises Refused when one of the addresses of `host` is not allowed."""
        for text in addresses:
            if not self.allows(host, ipaddress.ip_address(text.partition("%")[0])):
                raise Refused("the target is an internal address; CXLOOP_ALLOW_TARGETS can allow it")


def _plain(host: str) -> str:
    """Lower case without the dot at the end; names in other scripts as the resolver sees them."""
    name = host.strip().rstrip(".").casefold()
    with contextlib.suppress(idna.IDNAError):
        name = name if name.isascii() else idna.encode(name).decode()
    return name


def _within(address: Address, network: Network) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address in network or (mapped is not None and mapped in network)


def embedded(address: Address) -> list[Address]:
    """The address and every IPv4 address that a gateway would take out of it."""
    found: list[Address] = [address]
    if isinstance(address, ipaddress.IPv4Address):
        return found
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    if address in _NAT64 or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def is_public(address: Address) -> bool:
    """Reachable by anybody, for one receiver: not private, shared, local, multicast, reserved or unset."""
    if address in _NAT64:
        return True  # a gateway's prefix: the address within it is judged
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    if any(address in network for network in _NEVER):
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not address.is_loopback
        and not address.is_link_local
    )


async def resolve_host(host: str, port: int) -> list[str]:
    """By the system's resolver, which also reads `2130706433` and `0x7f.1` as what they are."""

    def ask() -> list[str]:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in infos))

    return await asyncio.get_running_loop().run_in_executor(_RESOLVING, ask)
