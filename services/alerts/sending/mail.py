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
        """One attempt. For good is only what the server says of a mailbox or of the mail; what it says of
        us (a greeting, the sender, the password) may be mended. One mailbox that is put off makes all of
        them get the mail again, under the same Message-ID: nobody is forgotten."""
        try:
            async with asyncio.timeout(timeout_s):
                refused = await self._send(message, to, timeout_s)
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            return Result(Outcome.TIMEOUT, detail=f"the mail server did not finish within {timeout_s:g} s")
        except aiosmtplib.SMTPRecipientsRefused as error:
            return _refused([refusal.code for refusal in error.recipients])
        except aiosmtplib.SMTPDataError as error:
            return _refused([error.code])
        except aiosmtplib.SMTPAuthenticationError as error:
            return Result(Outcome.FAILED, error.code, "the mail server refuses our user or password")
        except aiosmtplib.SMTPSenderRefused as error:
            return Result(Outcome.FAILED, error.code, "the mail server refuses our sender")
        except aiosmtplib.SMTPResponseException as error:
            code = error.code if error.code > 0 else None
            return Result(Outcome.FAILED, code, "the mail server refuses to talk")
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            return Result(
                Outcome.UNREACHABLE, detail=f"no talk with the mail server ({type(error).__name__})"
            )
        if any(code < 500 for code in refused):
            return Result(Outcome.FAILED, min(refused), f"{len(refused)} of {len(to)} receivers are put off")
        gone = f"{len(refused)} of {len(to)} receivers are refused for good" if refused else None
        return Result(Outcome.DELIVERED, detail=gone)

    async def _send(self, message: EmailMessage, to: Sequence[str], timeout_s: float) -> list[int]:
        """Codes of the mailboxes that were refused, while others were not."""
        server = self._server
        errors, _ = await aiosmtplib.send(
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
        return [response.code for response in errors.values()]


def _refused(codes: Sequence[int]) -> Result:
    """RFC 5321, 4.2.1: 5yz is for good, 4yz for now."""
    worst = min(codes, default=0)
    if worst >= 500:
        return Result(Outcome.REJECTED, worst, "the mail server refuses the receiver for good")
    return Result(Outcome.FAILED, worst or None, "the mail server refuses for now")
