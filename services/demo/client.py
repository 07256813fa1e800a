"""Sends the demo's deliveries through the real webhooks, signed, with retries and bounded concurrency."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from services.demo.post import BILLING, CRM, VENDORS, Post

CONCURRENCY: Final = 24
"""Deliveries under way at once: enough to keep one ingest process busy, far below its cap of 256."""
ATTEMPTS: Final = 8
SETTLE_DEADLINE_S: Final = 300.0


class DemoError(Exception):
    """The demo cannot go on; the message says what happened and what to do."""


@dataclass
class State:
    """What a second start needs: secrets of the demo's sources, when its history ends, what is done."""

    path: Path
    started: str = ""
    loaded: bool = False
    won_back: bool = False
    secrets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> State:
        if not path.exists():
            return cls(path)
        return cls(path, **json.loads(path.read_text(encoding="utf-8")))

    def save(self) -> None:
        """Atomically, readable by the owner alone."""
        values = {k: v for k, v in self.__dict__.items() if k != "path"}
        draft = self.path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(values), encoding="utf-8")
        draft.replace(self.path)


def new_secret(source: str) -> str:
    raw = secrets.token_bytes(24)
    if source == CRM:
        return "whsec_" + base64.b64encode(raw).decode()
    return ("whsec_" if source == BILLING else "") + raw.hex()


@dataclass(frozen=True)
class Services:
    """Addresses and key of the running services."""

    ingest: str
    scoring: str
    alerts: str
    api_key: str

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers={"authorization": f"Bearer {self.api_key}"},
            timeout=httpx.Timeout(30),
            limits=httpx.Limits(max_connections=CONCURRENCY),
        )


async def connect_sources(client: httpx.AsyncClient, services: Services, state: State) -> None:
    """Makes the demo's five sources, or gives them the kept secrets again. Raises DemoError."""
    for source, vendor in VENDORS.items():
        secret = state.secrets.setdefault(source, new_secret(source))
        body: dict[str, Any] = {"id": source, "vendor": vendor, "secrets": [secret]}
        answer = await client.post(f"{services.ingest}/v1/sources", json=body)
        if answer.status_code == httpx.codes.CONFLICT:
            url = f"{services.ingest}/v1/sources/{source}"
            answer = await client.patch(url, json={"secrets": [secret]})
        if answer.is_error:
            raise DemoError(
                f"the source {source} was not accepted ({answer.status_code}): {answer.text[:300]}"
            )
    state.save()


async def deliver(client: httpx.AsyncClient, services: Services, state: State, post: Post) -> list[str]:
    """One delivery until it is accepted; its event ids. Raises DemoError when nobody takes it."""
    url = f"{services.ingest}/v1/webhooks/{post.source}"
    why = ""
    for attempt in range(ATTEMPTS):
        headers, body = post.signed(state.secrets[post.source], datetime.now(UTC))
        try:
            answer = await client.post(url, content=body, headers=headers)
        except httpx.TransportError as error:
            why = type(error).__name__
        else:
            if answer.is_success:
                return [str(event_id) for event_id in answer.json()["ids"]]
            why = f"{answer.status_code} {answer.text[:300]}"
            if answer.status_code not in (404, 429, 503):
                break
        await asyncio.sleep(min(0.2 * 2**attempt, 5.0))
    raise DemoError(f"ingest did not accept a delivery of {post.source}: {why}")


async def deliver_all(
    client: httpx.AsyncClient,
    services: Services,
    state: State,
    posts: Iterable[Post],
    advance: Callable[[], None],
) -> list[str]:
    """All of them, oldest first, `CONCURRENCY` at once; `advance` is called after each.

    Gives the last event ids, which are in the scores when all are. Raises DemoError at the first failure.
    """
    queue = iter(posts)
    last: deque[str] = deque(maxlen=4 * CONCURRENCY)

    async def work() -> None:
        for post in queue:
            last.extend(await deliver(client, services, state, post))
            advance()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(work())
    except* DemoError as errors:
        first = errors.exceptions[0]
    else:
        return list(last)
    raise first


async def settled(client: httpx.AsyncClient, services: Services, event_ids: Iterable[str]) -> None:
    """Waits until scoring has taken all these events. Raises DemoError after `SETTLE_DEADLINE_S`."""
    async with asyncio.timeout(SETTLE_DEADLINE_S) as limit:
        try:
            for event_id in event_ids:
                while not (await client.get(f"{services.scoring}/v1/events/{event_id}")).is_success:
                    await asyncio.sleep(0.3)
        except TimeoutError:
            if not limit.expired():
                raise
            raise DemoError("scoring does not keep up with the demo's history; see `cxloop doctor`") from None
