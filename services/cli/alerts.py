"""`cxloop alerts`: look at alerts and take them through their life."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from services.cli import show
from services.cli.customers import find
from services.cli.options import AsJson, Limit, target_of

app = typer.Typer(
    no_args_is_help=True, help="Look at alerts, and act on them until the customer shows it helped."
)

Which = Annotated[str, typer.Argument(help="The alert's id.")]
By = Annotated[str, typer.Option(help="Who does it.", default_factory=getpass.getuser, show_default="you")]
Note = Annotated[str | None, typer.Option(help="A note for the others.")]


@app.command("list")
def list_alerts(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="open, acknowledged, assigned, acted, verified …")] = None,
    customer: Annotated[str | None, typer.Option(help="A customer's id or identifier.")] = None,
    council: Annotated[str | None, typer.Option(help="Only this council's.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only this owner's.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only this rule's.")] = None,
    severity: Annotated[str | None, typer.Option(help="low, medium, high or urgent.")] = None,
    since: Annotated[str | None, typer.Option(help="Opened at or after this instant (RFC 3339).")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List alerts.

    Example: cxloop alerts list --state open --severity high
    """
    target = target_of(context)
    query = {
        "state": state,
        "customer_id": find(target, customer) if customer else None,
        "council": council,
        "owner": owner,
        "rule": rule,
        "severity": severity,
        "since": since,
    }
    found = list(target.items("alerts", "/alerts", limit, **query))
    if as_json:
        show.as_json(found)
        return
    show.table(("alert", "severity", "state", "opened", "owner", "title"), map(_row, found), "No alert fits.")


@app.command("show")
def show_alert(context: typer.Context, alert: Which, as_json: AsJson = False) -> None:
    """Show one alert: why it was raised, in the customer's own events, and what was done.

    Example: cxloop alerts show 018f6d1e
    """
    found = target_of(context).get("alerts", f"/alerts/{alert}")
    if as_json:
        show.as_json(found)
    else:
        _describe(found)


@app.command("ack")
def acknowledge(
    context: typer.Context, alert: Which, by: By, note: Note = None, as_json: AsJson = False
) -> None:
    """Say that you have seen it and will look after it.

    Example: cxloop alerts ack 018f6d1e
    """
    _step(context, alert, "acknowledge", {"by": by, "note": note}, as_json)


@app.command()
def assign(
    context: typer.Context,
    alert: Which,
    to: Annotated[str, typer.Option(help="Who shall look after it.")],
    by: By,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Give it to somebody.

    Example: cxloop alerts assign 018f6d1e --to ann@example.com
    """
    _step(context, alert, "assign", {"by": by, "to": to, "note": note}, as_json)


@app.command()
def act(
    context: typer.Context,
    alert: Which,
    action: Annotated[str, typer.Option(help="What was done.")],
    by: By,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Say what was done for the customer.

    Example: cxloop alerts act 018f6d1e --action "called, refunded the month"
    """
    _step(context, alert, "act", {"by": by, "action": action, "note": note}, as_json)


@app.command()
def resolve(context: typer.Context, alert: Which, by: By, note: Note = None, as_json: AsJson = False) -> None:
    """Close it; from now on the customer's own behaviour verifies or refutes that it helped.

    Example: cxloop alerts resolve 018f6d1e
    """
    _step(context, alert, "resolve", {"by": by, "note": note}, as_json)


@app.command()
def snooze(
    context: typer.Context,
    alert: Which,
    until: Annotated[str, typer.Option(help="Until this instant (RFC 3339).")],
    by: By,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Put it away for a while.

    Example: cxloop alerts snooze 018f6d1e --until 2030-01-31T09:00:00Z
    """
    _step(context, alert, "snooze", {"by": by, "until": until, "note": note}, as_json)


@app.command()
def dismiss(
    context: typer.Context,
    alert: Which,
    reason: Annotated[str, typer.Option(help="false_alarm, known, duplicate, not_ours or customer_gone.")],
    by: By,
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Close it because nothing is to be done.

    Example: cxloop alerts dismiss 018f6d1e --reason false_alarm
    """
    _step(context, alert, "dismiss", {"by": by, "reason": reason, "note": note}, as_json)


@app.command()
def reopen(context: typer.Context, alert: Which, by: By, note: Note = None, as_json: AsJson = False) -> None:
    """Open it again.

    Example: cxloop alerts reopen 018f6d1e --note "it came back"
    """
    _step(context, alert, "reopen", {"by": by, "note": note}, as_json)


def _step(context: typer.Context, alert: str, step: str, body: dict[str, Any], as_json: bool) -> None:
    said = {name: value for name, value in body.items() if value is not None}
    found = target_of(context).post("alerts", f"/alerts/{alert}/{step}", said)
    if as_json:
        show.as_json(found)
    else:
        show.out.print(f"{show.plain(found['title'])}: now {show.plain(found['state'])}")


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    return (
        show.plain(item["id"]),
        show.band(item["severity"]),
        show.plain(item["state"]),
        show.when(item["opened_at"]),
        show.plain(item.get("owner")),
        show.plain(item["title"]),
    )


def _describe(alert: dict[str, Any]) -> None:
    show.out.print(f"[bold]{show.plain(alert['title'])}[/bold]")
    show.out.print(
        f"{show.band(alert['severity'])}, {show.plain(alert['state'])}, rule {show.plain(alert['rule'])}"
    )
    facts = {
        "customer": (alert.get("customer") or {}).get("name") or alert.get("customer_id"),
        "council": alert.get("council"),
        "owner": alert.get("owner"),
        "opened": show.when(alert.get("opened_at")),
        "due": show.when(alert.get("due_at")),
        "link": alert.get("url"),
    }
    show.table((), ((f"  {name}", show.plain(value)) for name, value in facts.items() if value), "")
    reason = alert.get("reason") or {}
    show.out.print(f"\nWhy: {show.plain(reason.get('text'))}")
    for event in reason.get("events", []):
        words = f'  "{show.plain(event["text"])}"' if event.get("text") else ""
        show.out.print(f"  {show.when(event.get('at'))}  {show.plain(event.get('summary'))}{words}")
    if alert.get("suggestion"):
        show.out.print(f"\nSuggestion: {show.plain(alert['suggestion'])}")
    show.out.print("\nHistory:")
    for step in alert.get("history", []):
        note = f": {show.plain(step['note'])}" if step.get("note") else ""
        by = f" by {show.plain(step['by'])}" if step.get("by") else ""
        show.out.print(f"  {show.when(step.get('at'))}  {show.plain(step.get('what'))}{by}{note}")
