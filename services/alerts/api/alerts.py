"""Alerts: listed, read, and carried through their life."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Final, get_args

import msgspec
from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from services.alerts.api.models import ActionBody, AlertModel
from services.alerts.api.state import AppState
from services.alerts.domain.alert import Alert, published
from services.alerts.domain.identity import united
from services.alerts.domain.lifecycle import Action, Impossible, Told, Verb, step
from services.alerts.store import alerts as store
from services.alerts.store.memory import save_alerts
from services.alerts.writing import clock
from shared.events.alerts import AlertState, Severity
from shared.events.times import Micros, to_micros
from shared.runtime.auth import Scope, require
from shared.runtime.instants import Instant
from shared.runtime.pagination import (
    DEFAULT_LIMIT,
    Cursor,
    Limit,
    Page,
    bad_cursor,
    decode_cursor,
    encode_cursor,
)
from shared.runtime.problem import Problem, Where

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

_JSON: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode
_Text = Annotated[str | None, Query(max_length=300)]


def answer(alert: Alert) -> Response:
    """The alert, its version as ETag."""
    return Response(_encode(published(alert)), media_type=_JSON, headers={"etag": f'"{alert.version}"'})


@router.get("", summary="List alerts", response_model=Page[AlertModel], dependencies=[require(Scope.read)])
async def list_alerts(
    state: AppState,
    alert_state: Annotated[str | None, Query(alias="state", description="One or several, by commas.")] = None,
    customer_id: _Text = None,
    account_id: _Text = None,
    council: _Text = None,
    owner: _Text = None,
    rule: _Text = None,
    severity: Annotated[str | None, Query(description="One or several, by commas.")] = None,
    since: Annotated[Instant | None, Query(description="Opened then or later.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Newest first. A merged customer's old id finds the alerts of the customer it became."""
    wanted = store.Filter(
        state=_choices("state", alert_state, get_args(AlertState)),
        customer_id=customer_id,
        account_id=account_id,
        council=council,
        owner=owner,
        rule=rule,
        severity=_choices("severity", severity, get_args(Severity)),
        since=None if since is None else to_micros(since),
    )
    async with state.reading() as connection:
        found = await store.listed(connection, wanted, _position(cursor), limit + 1)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = encode_cursor({"at": shown[-1].opened_at, "id": shown[-1].id})
    document = {"items": [published(alert) for alert in shown], "next": following}
    return Response(_encode(document), media_type=_JSON)


def _choices(name: str, given: str | None, known: tuple[str, ...]) -> list[str] | None:
    if given is None:
        return None
    chosen = [part.strip() for part in given.split(",") if part.strip()]
    if not set(chosen) <= set(known):
        why = f"one of {', '.join(known)}"
        raise Problem("invalid_request", f"?{name}: {why}", [Where(f"?{name}", why)])
    return chosen


def _position(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    position = decode_cursor(cursor)
    at, alert_id = position.get("at"), position.get("id")
    if not isinstance(at, int) or not isinstance(alert_id, str):
        raise bad_cursor()
    return at, alert_id


@router.get(
    "/{alert_id}", summary="Read an alert", response_model=AlertModel, dependencies=[require(Scope.read)]
)
async def read_alert(state: AppState, alert_id: str) -> Response:
    """With its whole history."""
    async with state.reading() as connection:
        alert = await store.one(connection, alert_id)
    if alert is None:
        raise _missing()
    return answer(alert)


def _missing() -> Problem:
    return Problem("not_found", "no such alert")


_DOC: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "The step is impossible in the present state"},
    412: {"description": "`If-Match` names an older version"},
}


@router.post(
    "/{alert_id}/{verb}",
    summary="Acknowledge, assign, act, resolve, snooze, dismiss or reopen",
    response_model=AlertModel,
    responses=_DOC,
    dependencies=[require(Scope.act)],
)
async def change_alert(
    state: AppState,
    alert_id: str,
    verb: Verb,
    body: ActionBody,
    if_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """One step of its life. 409 when the state does not allow it, 412 when somebody was faster."""
    async with state.writing() as connection:
        now = await clock(connection)
        action = _action(verb, body, now)
        alert = await store.locked(connection, alert_id)
        if alert is None:
            raise _missing()
        _check_version(alert, if_match)
        told = step(alert, action, now)
        if isinstance(told, Impossible):
            raise Problem("conflict", told.why)
        news = [told]
        if told.alert.live and not alert.live:
            news = await _alone(connection, told, now)
        await save_alerts(connection, [item.alert for item in news])
        await state.writer.tell(connection, news, await state.writer.book(connection), now)
    state.writer.wake()
    return answer(news[-1].alert)


async def _alone(connection: Any, told: Told, now: Micros) -> list[Told]:  # noqa: ANN401
    """A customer has one live alert of a driver: one that opened meanwhile goes on in the reopened one."""
    other = await store.live_driver(connection, told.alert)
    if other is None:
        return [told]
    stays, closes = united(told.alert, other, "reopened", now)
    return [Told(closes, "updated"), replace(told, alert=stays)]


def _check_version(alert: Alert, if_match: str | None) -> None:
    """RFC 9110, 13.1.1; weak tags compare like strong ones, for versions are exact."""
    if if_match is None or if_match.strip() == "*":
        return
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if str(alert.version) not in tags:
        raise Problem(
            "stale", f"the alert is at version {alert.version}", [Where("If-Match", "an older version")]
        )


def _action(verb: Verb, body: ActionBody, now: Micros) -> Action:
    until = None if body.until is None else to_micros(body.until)
    if verb == "snooze" and (until is None or until <= now):
        why = "an instant in the future is needed"
        raise Problem("invalid_request", f"/until: {why}", [Where("/until", why)])
    if verb == "dismiss" and body.reason is None:
        why = "one of false_alarm, known, duplicate, not_ours, customer_gone is needed"
        raise Problem("invalid_request", f"/reason: {why}", [Where("/reason", why)])
    return Action(
        verb=verb,
        by=body.by,
        note=body.note,
        to=body.to,
        action=body.action,
        until=until,
        reason=body.reason if verb == "dismiss" else None,
    )
