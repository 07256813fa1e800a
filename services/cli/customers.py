"""`cxloop customers`: look at customers, their scores, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli import show
from services.cli.options import AsJson, Limit, target_of
from services.cli.target import Target

app = typer.Typer(
    no_args_is_help=True, help="Look at customers, their scores, and why they are what they are."
)
Who = Annotated[str, typer.Argument(help="A customer's id, or an identifier such as email:ann@example.com.")]

SCORES = ("health", "relationship", "risk")


def find(target: Target, who: str) -> str:
    """Return the customer's id; an identifier (`scheme:value`) is looked up."""
    if ":" not in who:
        return who
    found = target.get("scoring", "/lookup", identifier=who)
    return str(found.get("customer_id") or found.get("account_id"))


@app.command("list")
def list_customers(
    context: typer.Context,
    band: Annotated[str | None, typer.Option(help="Only this band of any score.")] = None,
    region: Annotated[str | None, typer.Option(help="Only this region.")] = None,
    persona: Annotated[str | None, typer.Option(help="Only this persona.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only this owner.")] = None,
    risk_min: Annotated[float | None, typer.Option(help="Only this risk or more, 0 to 1.")] = None,
    q: Annotated[str | None, typer.Option(help="Part of a name or identifier.")] = None,
    sort: Annotated[str, typer.Option(help="-risk, health or -value_at_risk.")] = "-risk",
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List customers, the ones at risk first.

    Example: cxloop customers list --region EMEA --risk-min 0.5
    """
    query = {
        "band": band,
        "region": region,
        "persona": persona,
        "account": account,
        "owner": owner,
        "risk_min": risk_min,
        "q": q,
    }
    found = list(target_of(context).items("scoring", "/customers", limit, sort=sort, **query))
    if as_json:
        show.as_json(found)
        return
    columns = ("customer", "name", "account", "region", "health", "relationship", "risk")
    show.table(columns, map(_row, found), "No customer fits.")


@app.command("show")
def show_customer(context: typer.Context, who: Who, as_json: AsJson = False) -> None:
    """Show one customer and the three scores of this moment.

    Example: cxloop customers show email:ann@example.com
    """
    target = target_of(context)
    customer = find(target, who)
    known = target.get("scoring", f"/customers/{customer}")
    scores = target.get("scoring", f"/customers/{customer}/score")
    if as_json:
        show.as_json({**known, **scores})
        return
    show.out.print(f"[bold]{show.plain(known.get('name') or customer)}[/bold]  {show.plain(customer)}")
    fields = ("identifiers", "account_id", "owner", "persona", "region", "renewal_at")
    show.table((), ((f"  {name}", show.plain(known.get(name))) for name in fields if known.get(name)), "")
    rows = ((f"  {name}", show.score(scores.get(name), 2 if name == "risk" else 0)) for name in SCORES)
    show.table((), rows, "")
    for name in SCORES:
        if needs := (scores.get(name) or {}).get("needs"):
            show.out.print(f"  {name} needs: {show.plain(needs)}")


@app.command()
def explain(
    context: typer.Context,
    who: Who,
    score: Annotated[str, typer.Option(help="health, relationship or risk.")] = "risk",
    as_json: AsJson = False,
) -> None:
    """Explain a score, down to the events that made it.

    Example: cxloop customers explain email:ann@example.com --score health
    """
    target = target_of(context)
    explanation = target.get("scoring", f"/customers/{find(target, who)}/explanation")
    if as_json:
        show.as_json(explanation)
        return
    told = explanation.get(score)
    if not told or told.get("value") is None:
        show.out.print(f"{score} is unknown: there is not enough evidence yet.")
        return
    unit = show.plain(told.get("unit"))
    show.out.print(
        f"{score} {show.plain(told['value'])}, starting from {show.plain(told['baseline'])} ({unit})"
    )
    for part in sorted(told["contributions"], key=lambda item: -abs(float(item["points"]))):
        show.out.print(f"{_points(part['points'])}  [bold]{show.plain(part['label'])}[/bold]")
        for event in part["events"]:
            what = f"{show.when(event.get('at'))}  {show.plain(event.get('type'))}"
            show.out.print(f"{_points(event['points'])}    {what}  {show.plain(event['id'])}")


@app.command()
def timeline(context: typer.Context, who: Who, limit: Limit = 20, as_json: AsJson = False) -> None:
    """Show what happened, the newest last.

    Example: cxloop customers timeline email:ann@example.com --limit 50
    """
    target = target_of(context)
    path = f"/customers/{find(target, who)}/timeline"
    found = list(target.items("scoring", path, limit, order="desc"))[::-1]
    if as_json:
        show.as_json(found)
        return
    rows = (
        (show.when(item["time"]), show.plain(item["summary"]), show.plain(item.get("text"))) for item in found
    )
    show.table(("when", "what", "words"), rows, "Nothing has happened yet.")


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    return (
        show.plain(item["customer_id"]),
        show.plain(item.get("name")),
        show.plain(item.get("account_id")),
        show.plain(item.get("region")),
        show.score(item.get("health")),
        show.score(item.get("relationship")),
        show.score(item.get("risk"), 2),
    )


def _points(points: object) -> str:
    number = float(str(points))
    colour = "green" if number >= 0 else "red"
    return f"[{colour}]{number:+9.2f}[/{colour}]"
