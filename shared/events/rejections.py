"""Messages on `cx.rejected.v1`: events that scoring could not take. ingest lists them for people."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """Why, as a code, and where in the event, as a JSON pointer; never the data itself."""

    code: str
    where: str
    why: str


class Rejection(msgspec.Struct, frozen=True):
    """`body` is the message as it was on the topic, base64 in JSON; `id` is stable over repetitions."""

    id: str
    source: str
    received_at: str
    reasons: tuple[Reason, ...]
    body: bytes
    event_id: str | None = None
    by: str = "scoring"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Rejection)


def encode(rejection: Rejection) -> bytes:
    return _encoder.encode(rejection)


def decode(raw: bytes) -> Rejection:
    """Raises msgspec.MsgspecError for anything that is no rejection."""
    try:
        return _decoder.decode(raw)
    except (UnicodeDecodeError, RecursionError):
        raise msgspec.DecodeError("not UTF-8, or nested too deeply") from None
