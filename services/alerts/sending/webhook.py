"""Signed webhooks by Standard Webhooks 1.0.0."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from datetime import datetime
from typing import Final

import httpx
from standardwebhooks import Webhook

from services.alerts.domain.retry import Outcome, Result, retry_after, status_outcome
from services.alerts.sending.guard import Refused

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
USER_AGENT: Final = "cxloop-alerts/1"
LET_GO_BYTES: Final = 16_384
LET_GO_S: Final = 0.5
"""As much of an answer's body is read, so that its connection can be used again; a longer or slower one is
cut off. What it says does not matter."""


def headers(delivery: str, secrets: tuple[str, ...], body: bytes, at: datetime) -> dict[str, str]:
    """The id is constant over attempts, the time is the attempt's; every active secret signs."""
    text = body.decode()
    signatures = " ".join(Webhook(secret).sign(delivery, at, text) for secret in secrets)
    return {
        "content-type": CONTENT_TYPE,
        "user-agent": USER_AGENT,
        "webhook-id": delivery,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures,
    }


async def send(
    transport: httpx.AsyncBaseTransport,
    url: str,
    delivery: str,
    secrets: tuple[str, ...],
    body: bytes,
    at: datetime,
    timeout_s: float,
) -> Result:
    """One attempt. Every failure is a result; `detail` names no address and no secret.

    Straight through the transport: a client around it would keep cookies and read what a redirect says.
    """
    try:
        request = httpx.Request(
            "POST",
            url,
            content=body,
            headers=headers(delivery, secrets, body, at),
            extensions={"timeout": httpx.Timeout(timeout_s).as_dict()},
        )
        async with asyncio.timeout(timeout_s):  # around the whole of it: no trickle of bytes prolongs it
            response = await transport.handle_async_request(request)
    except Refused as error:
        return Result(Outcome.REFUSED, detail=str(error))
    except (TimeoutError, httpx.TimeoutException):
        return Result(Outcome.TIMEOUT, detail=f"no answer within {timeout_s:g} s")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        return Result(Outcome.FAILED, detail="the address is no http or https URL")
    except (httpx.TransportError, OSError) as error:
        return _unreachable(error)
    await _let_go(response)
    return _read(response, at)


async def _let_go(response: httpx.Response) -> None:
    """The answer is known; its body is only in the way of the next one."""
    try:
        with suppress(TimeoutError, httpx.TransportError, OSError):
            async with asyncio.timeout(LET_GO_S):
                taken = 0
                async for chunk in response.aiter_raw():
                    taken += len(chunk)
                    if taken > LET_GO_BYTES:
                        break
    finally:
        with suppress(httpx.TransportError, OSError):
            await response.aclose()


def _read(response: httpx.Response, at: datetime) -> Result:
    outcome = status_outcome(response.status_code)
    details = {
        Outcome.REDIRECT: "redirects are not followed",
        Outcome.GONE: "410: the receiver wants nothing any more; the endpoint is disabled",
        Outcome.HTTP_ERROR: f"answered {response.status_code}",
    }
    asked = retry_after(response.headers.get("retry-after"), at)
    return Result(outcome, response.status_code, details.get(outcome), asked)


def _unreachable(error: BaseException) -> Result:
    """The cause may lie a few exceptions deep."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Refused):
            return Result(Outcome.REFUSED, detail=str(cause))
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Result(Outcome.UNREACHABLE, detail=f"certificate: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return Result(Outcome.UNREACHABLE, detail="no TLS")
        if isinstance(cause, socket.gaierror):
            return Result(Outcome.UNREACHABLE, detail="the name cannot be resolved")
        if isinstance(cause, ConnectionRefusedError):
            return Result(Outcome.UNREACHABLE, detail="connection refused")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.RemoteProtocolError):
        return Result(Outcome.UNREACHABLE, detail="the answer is no HTTP")
    if isinstance(error, httpx.ReadError | httpx.WriteError):
        return Result(Outcome.UNREACHABLE, detail="the connection was cut before an answer")
    return Result(Outcome.UNREACHABLE, detail=f"no connection ({type(error).__name__})")
