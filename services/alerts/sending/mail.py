"""Mail by SMTP."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib

from services.alerts.domain.retry import Outcome, Result
from services.alerts.sending.letters import Letter

_DOMAIN: Final = "alerts.cxloop"
_PORTS: Final = {"smtp": 25, "smtps": 465}


class Mailer:
    """`url`: smtp://user:password@host:port (STARTTLS where the server offers it) or smtps://…"""

    def __init__(self, url: str, sender: str) -> None:
        self._server: SplitResult = urlsplit(url)
        if self._server.scheme not in _PORTS or not self._server.hostname:
            raise ValueError("CXLOOP_SMTP_URL reads smtp://host:port or smtps://host:port")
        self._sender = sender

    def compose(self, letter: Letter, delivery: str, to: Sequence[str], at: datetime) -> EmailMessage:
        """The Message-ID is the delivery's: a mail that arrives twice is shown once by many programs."""
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = ", ".join(to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(at)
        message["Message-ID"] = f"<{delivery}@{_DOMAIN}>"
        message["Auto-Submitted"] = "auto-generated"
        if letter.thread is not None:
            message["References"] = f"<{letter.thread}@{_DOMAIN}>"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        return message

    async def send(self, message: EmailMessage, to: Sequence[str], timeout_s: float) -> Result:
        """One attempt. 5xx for every receiver is for good, everything else may change."""
        server = self._server
        try:
            async with asyncio.timeout(timeout_s):
                await aiosmtplib.send(
                    message,
                    sender=self._sender,
                    recipients=list(to),
                    hostname=server.hostname,
                    port=server.port or _PORTS[server.scheme],
                    username=unquote(server.username) if server.username else None,
                    password=unquote(server.password) if server.password else None,
                    use_tls=server.scheme == "smtps",
                    timeout=timeout_s,
                )
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Result(Outcome.TIMEOUT, detail=f"the mail server did not finish within {timeout_s:g} s")
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused([refusal.code for refusal in error.recipients])
        except aiosmtplib.SMTPAuthenticationError as error:
            return Result(Outcome.FAILED, error.code, "the mail server refuses our user or password")
        except aiosmtplib.SMTPResponseException as error:
            return _refused([error.code])
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            return Result(
                Outcome.UNREACHABLE, detail=f"no talk with the mail server ({type(error).__name__})"
            )
        return Result(Outcome.DELIVERED)


def _refused(codes: Sequence[int]) -> Result:
    """RFC 5321, 4.2.1: 5yz is for good, 4yz for now."""
    worst = min(codes, default=0)
    if worst >= 500:
        return Result(Outcome.REJECTED, worst, "the mail server refuses the receiver for good")
    return Result(Outcome.FAILED, worst or None, "the mail server refuses for now")
