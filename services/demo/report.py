"""What there is to see, in a few lines, once the demo company is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import httpx

from services.demo.client import Services

_GRAVITY: Final = {"urgent": 0, "high": 1, "medium": 2, "low": 3}
OWN_WORDS: Final = "Nobody answered me for three days"


async def written(client: httpx.AsyncClient, services: Services, data_dir: Path) -> str:
    """Summary, the top alert, how to send one's own bad answer, how to connect a real sender."""
    summary = (await client.get(f"{services.scoring}/v1/summary")).raise_for_status().json()
    alerts = await _open_alerts(client, services)
    cxloop = _command()
    at_risk = round(summary["value_at_risk"] / 100_000)
    lines = [
        "",
        f"{summary['customers']} customers, {summary['unknown']} unknown, {len(alerts)} alerts,"
        f" {at_risk} k€ at risk",
        *_top(alerts, cxloop),
        "",
        "Send your own bad answer (it shows in the alerts within a second or two):",
        f'  {cxloop} demo answer --score 2 --email you@example.com --comment "{OWN_WORDS}"',
        f"  {cxloop} alerts list",
        "",
        f"Connect a first real sender:  {cxloop} sources add my-zendesk --vendor zendesk",
        f"The data lies in {data_dir}; Ctrl-C stops and keeps it.",
    ]
    return "\n".join(lines)


async def _open_alerts(client: httpx.AsyncClient, services: Services) -> list[dict[str, Any]]:
    url = f"{services.alerts}/v1/alerts?state=open&limit=200"
    answer = (await client.get(url)).raise_for_status()
    items: list[dict[str, Any]] = answer.json()["items"]
    return sorted(items, key=lambda a: (_GRAVITY[a["severity"]], -(a["customer"].get("value") or 0)))


def _command() -> str:
    """How this person calls `cxloop`, as `cxloop up` has found out."""
    return os.environ.get("CXLOOP_COMMAND", "cxloop")


def _top(alerts: list[dict[str, Any]], cxloop: str) -> list[str]:
    if not alerts:
        return []
    top = alerts[0]
    words = next((e["text"] for e in top["reason"]["events"] if e.get("text")), None)
    return [
        "",
        f"Top alert ({top['severity']}): {top['title']}",
        f"  why: {top['reason']['text']}" + (f' - "{words}"' if words else ""),
        f"  {top['url'] or ''}   or: {cxloop} alerts show {top['id']}",
    ]
