"""CloudEvents 1.0 by webhook: binary, structured or batch, in the contract's own words.

The standard signs nothing: a bearer token in `Authorization` (or `?access_token=`) says who sends. A
source with `"auth": "signature"` expects the headers of Standard Webhooks.
"""

from __future__ import annotations

from typing import Final

from services.ingest.domain.sender import Delivery, Element, Sender, Setup, SourceConfig
from services.ingest.senders._contract import cloud_elements
from services.ingest.senders._contract import read_cloudevent as normalise
from services.ingest.senders.standard_webhooks import verify


def explode(delivery: Delivery, _source: SourceConfig) -> list[Element]:
    return cloud_elements(delivery)


SENDER: Final = Sender(
    vendor="cloudevents",
    verify=verify,
    explode=explode,
    normalise=normalise,
    auth=("header", "path", "basic", "signature"),
    setup=Setup(
        where="your own tool, or an event broker's subscription with an HTTP sink",
        switch_on=("cxloop.*.v1",),
        secret="a token of your own, sent as Authorization: Bearer …",  # noqa: S106 - says where it is
        notes=("Types that do not begin with cxloop. are answered with 2xx and ignored.",),
    ),
)
