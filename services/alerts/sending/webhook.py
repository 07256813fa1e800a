"""Signed webhooks by Standard Webhooks 1.0.0."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import datetime
from typing import Final

import httpx
from standardwebhooks import Webhook

from services.alerts.domain.retry import Outcome, Result, retry_after, status_outcome
from services.alerts.sending.guard import Refused

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
USER_AGENT: Final = "cxloop-alerts/1"


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
    client: httpx.AsyncClient,
    url: str,
    delivery: str,
    secrets: tuple[str, ...],
    body: bytes,
    at: datetime,
    timeout_s: float,
) -> Result:
    """One attempt. Every failure is a result; `detail` names no address and no secret."""
    try:
        async with asyncio.timeout(timeout_s):
            signed = headers(delivery, secrets, body, at)
            async with client.stream("POST", url, content=body, headers=signed) as response:
                return _read(response, at)
    except Refused as error:
        return Result(Outcome.REFUSED, detail=str(error))
    except (TimeoutError, httpx.TimeoutException):
        return Result(Outcome.TIMEOUT, detail=f"no answer within {timeout_s:g} s")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        return Result(Outcome.FAILED, detail="the address is no http or https URL")
    except (httpx.TransportError, OSError) as error:
        return _unreachable(error)


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
        if isinstance(cause, socket.gaierror):
            return Result(Outcome.UNREACHABLE, detail="the name cannot be resolved")
        if isinstance(cause, ConnectionRefusedError):
            return Result(Outcome.UNREACHABLE, detail="connection refused")
        cause = cause.__cause__ or cause.__context__
    return Result(Outcome.UNREACHABLE, detail=f"no connection ({type(error).__name__})")
