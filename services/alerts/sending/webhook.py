"""Signed webhooks by Standard Webhooks 1.0.0."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime
from typing import Final

import httpcore
import httpx
from standardwebhooks import Webhook

from services.alerts.domain.retry import Outcome, Result, retry_after, status_outcome
from services.alerts.sending.guard import Refused
from services.alerts.sending.transport import FAULTS, Answer, GuardedTransport

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
    transport: GuardedTransport,
    url: str,
    delivery: str,
    secrets: tuple[str, ...],
    body: bytes,
    at: datetime,
    timeout_s: float,
) -> Result:
    """One attempt. Every failure is a result; `detail` names no address and no secret."""
    try:
        answer = await transport.post(url, headers(delivery, secrets, body, at), body, timeout_s)
    except Refused as error:
        return Result(Outcome.REFUSED, detail=str(error))
    except TimeoutError:
        return Result(Outcome.TIMEOUT, detail=f"no answer within {timeout_s:g} s")
    except (httpx.InvalidURL, UnicodeError):
        return Result(Outcome.FAILED, detail="the address is no http or https URL")
    except FAULTS as error:
        return _unreachable(error)
    return _read(answer, at)


def _read(answer: Answer, at: datetime) -> Result:
    outcome = status_outcome(answer.status)
    details = {
        Outcome.REDIRECT: "redirects are not followed",
        Outcome.GONE: "410: the receiver wants nothing any more; the endpoint is disabled",
        Outcome.HTTP_ERROR: f"answered {answer.status}",
    }
    asked = retry_after(answer.header(b"retry-after"), at)
    return Result(outcome, answer.status, details.get(outcome), asked)


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
    if isinstance(error, httpcore.RemoteProtocolError):
        return Result(Outcome.UNREACHABLE, detail="the answer is no HTTP")
    if isinstance(error, httpcore.ReadError | httpcore.WriteError):
        return Result(Outcome.UNREACHABLE, detail="the connection was cut before an answer")
    return Result(Outcome.UNREACHABLE, detail=f"no connection ({type(error).__name__})")
