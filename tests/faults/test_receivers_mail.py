"""Mail servers that hang, put off, refuse and cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Self

import pytest

from tests.faults.receivers import after_attempt, endpoint, hasten, told_to
from tests.integration.alerts.conftest import Service, running

Unique = Callable[[str], str]
HANG, CUT = "hang", "cut"
USUAL = {
    "greeting": "220 ready",
    "EHLO": "250 hello",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "end": "250 taken",
    "QUIT": "221 bye",
    "RSET": "250 ok",
}


class RawMail:
    """Answers by a script: step → reply, HANG or CUT; `RCPT <address>` is looked up before `RCPT`."""

    def __init__(self) -> None:
        self.script = dict(USUAL)
        self.mails: list[tuple[list[str], str]] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def got(self, address: str) -> list[str]:
        """Message-IDs that reached a mailbox."""
        return [name for to, name in self.mails if address in to]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, *steps: str) -> bool:
        """The reply of the first step in the script. Returns whether it is a good one."""
        reply = next(self.script[step] for step in steps if step in self.script)
        if reply == HANG:
            await asyncio.Event().wait()
        if reply == CUT:
            raise ConnectionResetError
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()
        return reply[0] in "23"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to: list[str] = []
        await self._say(writer, "greeting")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                if await self._say(writer, f"RCPT {address}", "RCPT"):
                    to.append(address)
                continue
            if await self._say(writer, verb) and verb == "DATA":
                text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                if await self._say(writer, "end"):
                    name = text.partition("Message-ID: <")[2].partition(">")[0]
                    self.mails.append((to, name))
                to = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=10)


@pytest.fixture(scope="module")
async def mail() -> AsyncIterator[RawMail]:
    async with RawMail() as server:
        yield server


@pytest.fixture(scope="module")
async def service(database_url: str, kafka: str, unique: Unique, mail: RawMail) -> AsyncIterator[Service]:
    group = unique("alerts")
    more = {"smtp_url": mail.url, "smtp_from": "cx@example.com", "delivery_timeout_s": 2.0}
    async with running(database_url, kafka, consumer_group=group, **more) as made:
        yield made


FAULTS: dict[str, tuple[dict[str, str], tuple[str, int | None, str]]] = {
    "hangs": ({"greeting": HANG}, ("timeout", None, "pending")),
    "hangs-after-the-mail": ({"end": HANG}, ("timeout", None, "pending")),
    "busy": ({"greeting": "421 try later"}, ("failed", 421, "pending")),
    "no-service-here": ({"greeting": "554 no service"}, ("failed", 554, "pending")),
    "refuses-our-sender": ({"MAIL": "550 not from you"}, ("failed", 550, "pending")),
    "puts-off": ({"RCPT": "450 greylisted"}, ("failed", 450, "pending")),
    "refuses-the-mailbox": ({"RCPT": "550 no such person"}, ("rejected", 550, "dead")),
    "no-room": ({"end": "452 disk full"}, ("failed", 452, "pending")),
    "refuses-the-mail": ({"end": "554 not this"}, ("rejected", 554, "dead")),
    "cuts-off": ({"DATA": CUT}, ("unreachable", None, "pending")),
    "speaks-no-smtp": ({"greeting": "HTTP/1.1 400 Bad Request"}, ("failed", None, "pending")),
}
"""Name → what differs from the usual talk, and outcome, status and state of the delivery."""


@pytest.mark.parametrize("name", FAULTS)
async def test_a_server_that_fails_is_tried_again_unless_it_refuses_for_good(
    service: Service, unique: Unique, mail: RawMail, name: str
) -> None:
    differs, (outcome, code, state) = FAULTS[name]
    mail.script = USUAL | differs
    where = unique(name)
    to = f"{where}@example.com"
    await endpoint(service, where, kind="email", to=[to], councils=[where])
    delivery = await told_to(service, where)
    row = await after_attempt(service, delivery)
    [first] = row["attempts"]
    assert (first["outcome"], first["status"], row["state"]) == (outcome, code, state)
    assert mail.got(to) == []
    mail.script = dict(USUAL)
    if state == "dead":
        await service.post(f"/v1/deliveries/{delivery}/redeliver", {}, 202)
    else:
        await hasten(service, delivery)
    row = await after_attempt(service, delivery, 2)
    assert row["state"] == "delivered"
    assert set(mail.got(to)) == {f"{delivery}@alerts.cxloop"}


async def test_one_mailbox_is_put_off_and_nobody_is_forgotten(
    service: Service, unique: Unique, mail: RawMail
) -> None:
    where = unique("two")
    here, later = f"here-{where}@example.com", f"later-{where}@example.com"
    mail.script = USUAL | {f"RCPT {later}": "450 greylisted"}
    await endpoint(service, where, kind="email", to=[here, later], councils=[where])
    delivery = await told_to(service, where)
    row = await after_attempt(service, delivery)
    assert (row["attempts"][0]["outcome"], row["state"]) == ("failed", "pending")
    mail.script = dict(USUAL)
    await hasten(service, delivery)
    assert (await after_attempt(service, delivery, 2))["state"] == "delivered"
    wanted = f"{delivery}@alerts.cxloop"
    assert mail.got(later) == [wanted]
    assert set(mail.got(here)) == {wanted}, "perhaps twice, but as the same mail"


async def test_one_mailbox_is_gone_and_the_others_have_it(
    service: Service, unique: Unique, mail: RawMail
) -> None:
    where = unique("two")
    here, gone = f"here-{where}@example.com", f"gone-{where}@example.com"
    mail.script = USUAL | {f"RCPT {gone}": "550 no such person"}
    await endpoint(service, where, kind="email", to=[here, gone], councils=[where])
    delivery = await told_to(service, where)
    row = await after_attempt(service, delivery)
    assert (row["attempts"][0]["outcome"], row["state"]) == ("delivered", "delivered")
    assert row["attempts"][0]["detail"] == "1 of 2 receivers are refused for good"
    assert mail.got(here) == [f"{delivery}@alerts.cxloop"]
    mail.script = dict(USUAL)
