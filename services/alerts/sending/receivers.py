"""The three ways out: webhooks, mail, and everything else by a library."""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.alerts.domain.retry import Outcome, Result
from services.alerts.sending import webhook
from services.alerts.sending.guard import Guard
from services.alerts.sending.letters import letter
from services.alerts.sending.mail import Mailer
from services.alerts.sending.notify import Notifier
from services.alerts.sending.transport import GuardedTransport
from services.alerts.store.deliveries import Claimed
from services.alerts.store.setup import Endpoint


class Receivers:
    """`mailer` None: no mail server is configured. `timeout_s` is for a whole attempt."""

    def __init__(self, guard: Guard, mailer: Mailer | None, timeout_s: float) -> None:
        self.transport = GuardedTransport(guard)
        self.notifier = Notifier(guard)
        self.mailer = mailer
        self.timeout_s = timeout_s

    async def send(self, claimed: Claimed, endpoint: Endpoint, at: datetime) -> Result:
        match endpoint.kind:
            case "webhook":
                return await webhook.send(
                    self.transport,
                    endpoint.target,
                    claimed.id,
                    endpoint.secrets,
                    claimed.body,
                    at,
                    self.timeout_s,
                )
            case "email":
                return await self.mail(claimed, endpoint.target.split(","), at)
            case _:
                severity = msgspec.json.decode(claimed.body)["data"].get("severity", "low")
                note = letter(claimed.body, claimed.what)
                return await self.notifier.send(endpoint.target, note, severity, self.timeout_s)

    async def mail(self, claimed: Claimed, to: list[str], at: datetime) -> Result:
        if self.mailer is None:
            return Result(Outcome.NOT_CONFIGURED, detail="no mail server: set CXLOOP_SMTP_URL")
        message = self.mailer.compose(letter(claimed.body, claimed.what), claimed.id, to, at)
        return await self.mailer.send(message, to, self.timeout_s)

    async def aclose(self) -> None:
        self.notifier.close()
        await self.transport.aclose()
