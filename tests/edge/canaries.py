"""Unmistakable secrets and personal data, put wherever such things come in."""

from __future__ import annotations

import random
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zlib import crc32

from tests.contract.senders_table import all_fixtures, fixture
from tests.edge import junk
from tests.edge.live import SECRET_KEY
from tests.senders_bodies import zulu
from tests.senders_kit import Request, sign

RUN: Final = secrets.token_hex(4)
"""Another customer in each run: a bus that outlives its database tells of the earlier ones again."""
SECRET: Final = "cnrysecret"
PERSON: Final = "cnryperson"
CARD: Final = "4111 1111 1111 1111"
PHONE: Final = "+493055507777"
API_KEY: Final = f"cxk_{SECRET}apikey0123456789abcdefghijklmnopqrstuv"
WEBHOOK_SECRET: Final = "whsec_" + (SECRET + "ForWebhooks" * 4)[:44]
DATABASE_PASSWORD: Final = SECRET + "database"
SMTP: Final = f"smtp://{SECRET}user:{SECRET}smtp@127.0.0.1:1"
NOT_ANYWHERE: Final = re.compile(f"{SECRET}|{re.escape(SECRET_KEY)}", re.IGNORECASE)
"""No output has these, not even an answer to an administrator."""
NOT_TOLD: Final = re.compile(f"{PERSON}|4111.?1111|5550.?7777", re.IGNORECASE)
"""Logs, metrics, errors, traces and command lines have none of these either."""
NO_CARD: Final = re.compile(r"4111.?1111.?1111.?1111")

SOURCE_SECRETS: Final = {
    "zendesk": f"{SECRET}zendesk",
    "intercom": f"{SECRET}intercom",
    "chatwoot": f"{SECRET}chatwoot",
    "typeform": f"{SECRET}typeform",
    "stripe": f"whsec_{SECRET}stripe",
    "standard-webhooks": WEBHOOK_SECRET,
    "cloudevents": f"{SECRET}token",
}
HEADERS: Final = {
    "Cookie": f"session={SECRET}cookie",
    "X-Api-Key": f"{SECRET}header",
    "X-Customer": f"{PERSON}@canary.example",
    "User-Agent": f"{PERSON}-agent",
    "Referer": f"https://{PERSON}.example/?token={SECRET}",
}
_WORDS: Final = re.compile(
    "name|text|subject|body|content|comment|description|title|message|html|wording|label"
)


def planted(value: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """The payload with canaries in place of what customers are called and say."""
    if isinstance(value, dict):
        return {key: planted(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [planted(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    if "@" in value:
        return f"{PERSON}.{RUN}.{crc32(value.encode()) % 97}@canary.example"
    if "phone" in name:
        return PHONE
    if _WORDS.search(name) and not name.endswith(("type", "_id", "nickname")):
        return f"{PERSON} pays with {CARD}, call {PHONE}"
    return value


def deliveries() -> list[tuple[str, Request]]:
    """(source id, request): every fixture with canaries, signed; then mutated, broken, and unsigned ones."""
    rng = random.Random(7)
    made = []
    for vendor, name in all_fixtures():
        body = planted(fixture(vendor, name))
        secret, now = SOURCE_SECRETS[vendor], datetime.now(UTC)
        variants: tuple[object, ...] = (
            body,
            junk.encoded(rng, junk.mutated(rng, body)),
            junk.encoded(rng, body)[:-5],
            f'"{PERSON}"'.encode(),
        )
        requests = [sign(vendor, variant, secret, at=now, headers=HEADERS) for variant in variants]
        requests.append(sign(vendor, body, "QUJD" * 8, at=now, headers=HEADERS))
        requests.append(sign(vendor, body, secret, at=now - timedelta(days=2), headers=HEADERS))
        made += [(f"canary-{vendor}", request) for request in requests]
    return made


def own_event(name: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a body
    """A bad answer of somebody with canaries everywhere; `body` adds to it."""
    return {
        "specversion": "1.0",
        "id": f"{PERSON}-{RUN}-{name}",
        "source": f"/{PERSON}",
        "type": "cxloop.survey.answered.v1",
        "time": zulu(datetime.now(UTC)),
        "data": {
            "identifiers": [f"email:{PERSON}.{RUN}@canary.example", f"user:{PERSON}-{RUN}"],
            "body": {
                "response": f"{RUN}-{name}",
                "metric": "nps",
                "score": 1,
                "comment": f"{PERSON} paid with {CARD}, call {PHONE}",
                **body,
            },
        },
    }


def poison() -> list[bytes]:
    """What no consumer can read, with canaries in it."""
    good = junk.encoded(random.Random(1), own_event("poison"))
    return [
        f"{PERSON} is no JSON".encode(),
        good,
        good[:-9],
        b'{"id":"' + PERSON.encode() + b'","source":"\xff","customer_id":"' + PERSON.encode() + b'"}',
    ]
