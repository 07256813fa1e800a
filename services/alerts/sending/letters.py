"""An alert as a mail or a chat message: subject, text, simple HTML."""

from __future__ import annotations

import html
from typing import Any, Final

import msgspec

MAX_NOTE: Final = 3500
"""Characters of a chat message; the strictest of the usual services takes 4,000."""

_WHAT: Final = {
    "opened": "New alert",
    "acknowledged": "Acknowledged",
    "assigned": "Assigned",
    "updated": "Updated",
    "acted": "Acted",
    "escalated": "Escalated",
    "snoozed": "Snoozed",
    "dismissed": "Dismissed",
    "cleared": "Cleared",
    "verified": "Verified by the customer",
    "unconfirmed": "Not confirmed by the customer",
    "reopened": "Open again",
}


class Letter(msgspec.Struct, frozen=True):
    subject: str
    text: str
    html: str
    thread: str | None = None
    """What mails about the same alert have in common."""


def letter(body: bytes, what: str) -> Letter:
    """From the CloudEvent that webhooks get, so that every way out says the same."""
    data: dict[str, Any] = msgspec.json.decode(body)["data"]
    if what == "test":
        text = str(data["text"])
        return Letter("Test of an endpoint", text, f"<p>{html.escape(text)}</p>")
    lines = _lines(data, what)
    subject = _one_line(f"[{data['severity']}] {_WHAT.get(what, what)}: {data['title']}")
    return Letter(subject, "\n".join(lines) + "\n", _html(data, what), data["id"])


def _one_line(text: str) -> str:
    """A header's worth of text. An encoded word (RFC 2047) in what a customer wrote would be decoded by the
    library, line breaks and all, and become headers of its own."""
    visible = "".join(c if c.isprintable() else " " for c in text).replace("=?", "= ?")
    return " ".join(visible.split())[:200]


def _lines(data: dict[str, Any], what: str) -> list[str]:
    reason = data["reason"]
    lines = [f"{_WHAT.get(what, what)}: {data['title']}", f"Severity {data['severity']}, {data['state']}"]
    lines += [f"Owner: {data['owner']}"] if data.get("owner") else []
    lines += [f"Due: {data['due_at']}"] if data.get("due_at") else []
    lines += ["", reason["text"]] if reason["text"] else []
    lines += [f"- {_event(event)}" for event in reason["events"]]
    lines += ["", f"Suggested: {data['suggestion']}"]
    lines += _scores(data)
    lines += ["", str(data["url"])] if data.get("url") else []
    return lines


def _event(event: dict[str, Any]) -> str:
    said = event.get("summary") or event["type"]
    text = event.get("text")
    points = f" ({event['points']:+.2f})" if event.get("points") is not None else ""
    return f"{event['at'][:16].replace('T', ' ')} {said}{points}" + (f": “{text}”" if text else "")


def _scores(data: dict[str, Any]) -> list[str]:
    after = data["scores"]["after"]
    shown = [
        f"{name} {'unknown' if after[name] is None else round(after[name], 2)}"
        for name in ("health", "relationship", "risk")
    ]
    return ["", "Scores: " + ", ".join(shown)]


def _html(data: dict[str, Any], what: str) -> str:
    """Words of customers are escaped: a mail must not become what they typed."""
    escape = html.escape
    events = "".join(f"<li>{escape(_event(event))}</li>" for event in data["reason"]["events"])
    parts = [
        f"<h2>{escape(_WHAT.get(what, what))}: {escape(data['title'])}</h2>",
        f"<p>Severity <b>{escape(data['severity'])}</b>, {escape(data['state'])}",
        f", owner {escape(data['owner'])}" if data.get("owner") else "",
        f", due {escape(data['due_at'])}" if data.get("due_at") else "",
        "</p>",
        f"<p>{escape(data['reason']['text'])}</p><ul>{events}</ul>",
        f"<p><b>Suggested:</b> {escape(data['suggestion'])}</p>",
        f"<p>{escape(_scores(data)[1])}</p>",
        f'<p><a href="{escape(data["url"], quote=True)}">Open the alert</a></p>' if data.get("url") else "",
    ]
    return "<!doctype html><html><body>" + "".join(parts) + "</body></html>"
