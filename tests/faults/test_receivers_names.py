"""Whom we speak to: certificates that are no proof, and names that change between check and connect."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.alerts.sending import guard, guarded_threads
from tests.faults.certificates import Authority
from tests.faults.receivers import RawReceiver, after_attempt, endpoint, hasten, status, told_to
from tests.integration.alerts.conftest import Service, running

Unique = Callable[[str], str]
CHECKED, OTHER = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
async def service(
    database_url: str, kafka: str, unique: Unique, authority: Authority
) -> AsyncIterator[Service]:
    """One that trusts the test's authority, and reaches one internal address and no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority.file))
        group = unique("alerts")
        allowed = (CHECKED,)
        async with running(database_url, kafka, consumer_group=group, allow_targets=allowed) as made:
            yield made


def tls(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


async def test_a_certificate_that_proves_nothing_gets_nothing(
    service: Service, unique: Unique, authority: Authority
) -> None:
    stranger = Authority(authority.folder / "stranger")
    bad = {
        "expired": (authority.issue(CHECKED, days=(-30, -1)), "expired"),
        "not-yet-valid": (authority.issue(CHECKED, days=(1, 30)), "not yet valid"),
        "wrong-host": (authority.issue("127.0.0.9"), "mismatch"),
        "self-signed": (authority.self_signed(CHECKED), "self-signed"),
        "unknown-authority": (stranger.issue(CHECKED), "unable to get local issuer"),
    }
    async with AsyncExitStack() as stack:
        for name, (files, words) in bad.items():
            receiver = await stack.enter_async_context(RawReceiver(status(200), tls(files)))
            where = unique(name)
            await endpoint(service, where, url=receiver.url, councils=[where])
            delivery = await told_to(service, where)
            [first] = (await after_attempt(service, delivery))["attempts"]
            assert first["outcome"] == "unreachable", name
            assert first["detail"].startswith("certificate: ") and words in first["detail"], name
            assert receiver.ids == [], "not a byte of the alert was sent"
        # The same receiver with a good certificate: it is delivered, so the refusals above had their reason.
        good = await stack.enter_async_context(RawReceiver(status(200), tls(authority.issue(CHECKED))))
        await service.client.put(
            f"/v1/endpoints/{where}", json={"kind": "webhook", "url": good.url, "councils": [where]}
        )
        await hasten(service, delivery)
        assert (await after_attempt(service, delivery, 2))["state"] == "delivered"
        assert good.ids == [delivery]


async def test_a_port_that_speaks_no_tls(service: Service, unique: Unique) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, CHECKED, 0) as server:
        port = server.sockets[0].getsockname()[1]
        where = unique("plain")
        await endpoint(service, where, url=f"https://{CHECKED}:{port}/hook", councils=[where])
        [first] = (await after_attempt(service, await told_to(service, where)))["attempts"]
        assert (first["outcome"], first["detail"]) == ("unreachable", "no TLS")


@pytest.fixture
async def pair() -> AsyncIterator[tuple[RawReceiver, RawReceiver]]:
    """The receiver, and a trap on the same port of an internal address."""
    async with (
        RawReceiver(status(200)) as receiver,
        RawReceiver(status(200), host=OTHER, port=receiver.port) as trap,
    ):
        yield receiver, trap


class Fickle:
    """A name server whose answer is another one each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers: Iterator[Sequence[str]] = itertools.cycle(answers)
        self.asked = 0

    def __call__(self) -> list[str]:
        self.asked += 1
        return list(next(self._answers))


async def test_a_name_that_changes_after_the_check_gains_nothing(
    service: Service, unique: Unique, pair: tuple[RawReceiver, RawReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, trap = pair
    fickle, name = Fickle([CHECKED], [OTHER]), unique("name") + ".example.com"

    async def resolve(host: str, port: int) -> list[str]:
        assert host == name
        return fickle()

    monkeypatch.setattr(guard, "resolve_host", resolve)
    where = unique("fickle")
    await endpoint(service, where, url=f"http://{name}:{receiver.port}/hook", councils=[where])
    receiver.behave = status(200, "connection: close")
    found = []
    for _ in range(4):
        row = await after_attempt(service, await told_to(service, where))
        found.append(row["attempts"][0]["outcome"])
    assert found == ["delivered", "refused"] * 2
    assert (receiver.connections, trap.connections) == (2, 0)
    assert fickle.asked == 4, "asked once for each connection: what was checked is what is connected to"
    assert receiver.headers[0]["host"] == f"{name}:{receiver.port}"


async def test_one_internal_address_beside_the_allowed_one_refuses_the_name(
    service: Service, unique: Unique, pair: tuple[RawReceiver, RawReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, trap = pair

    async def resolve(host: str, port: int) -> list[str]:
        return [CHECKED, OTHER]

    monkeypatch.setattr(guard, "resolve_host", resolve)
    where = unique("both")
    await endpoint(service, where, url=f"http://{where}.example.com:{receiver.port}/hook", councils=[where])
    [first] = (await after_attempt(service, await told_to(service, where)))["attempts"]
    assert (first["outcome"], receiver.connections, trap.connections) == ("refused", 0, 0)


async def test_the_library_connects_to_what_was_checked_too(
    service: Service, unique: Unique, pair: tuple[RawReceiver, RawReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, trap = pair
    fickle, name = Fickle([CHECKED], [OTHER]), unique("name") + ".example.com"
    system = guarded_threads._system_getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as in the library
        return system(fickle()[0] if host == name else host, port, *args, **kwargs)

    monkeypatch.setattr(guarded_threads, "_system_getaddrinfo", resolve)
    where = unique("fickle")
    url = f"json://{name}:{receiver.port}/hook"
    await endpoint(service, where, kind="notify", url=url, councils=[where])
    found = []
    for _ in range(4):
        row = await after_attempt(service, await told_to(service, where))
        found.append(row["attempts"][0]["outcome"])
    assert found == ["delivered", "refused"] * 2
    assert (receiver.connections, trap.connections) == (2, 0)


async def test_a_name_server_that_hangs_is_felt_by_its_own_names_only(
    service: Service, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = asyncio.Event()
    real = guard.resolve_host

    async def resolve(host: str, port: int) -> list[str]:
        if host.endswith(".example.com"):
            await silent.wait()
        return await real(host, port)

    monkeypatch.setattr(guard, "resolve_host", resolve)
    stuck = []
    for _ in range(30):
        where = unique("silent")
        await endpoint(service, where, url=f"http://{where}.example.com/hook", councils=[where])
        stuck.append(await told_to(service, where))
    async with RawReceiver(status(200)) as receiver:
        where = unique("quick")
        await endpoint(service, where, url=receiver.url, councils=[where])
        quick = await after_attempt(service, await told_to(service, where))
        assert quick["state"] == "delivered"
    [first] = (await after_attempt(service, stuck[0]))["attempts"]
    assert first["outcome"] == "timeout"
    silent.set()
