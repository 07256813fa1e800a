"""Which instance a command speaks to, and how it speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from services.cli.home import Home, Run

if TYPE_CHECKING:  # imported where it is used: not every command speaks to a service
    import httpx

TIMEOUT_S = 30.0
PAGE = 200

Service = Literal["ingest", "scoring", "alerts"]
Json = dict[str, Any]


class CommandError(Exception):
    """A command cannot do its work: a sentence for the person, and the exit status (2: called wrongly)."""

    def __init__(self, sentence: str, *, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass
class Target:
    """Addresses and key as given by options or environment; what is missing comes from the run file."""

    data_dir: Path
    urls: dict[Service, str | None] = field(default_factory=dict)
    key: str | None = None
    _found: Run | None = None

    @property
    def home(self) -> Home:
        """The files of the data directory."""
        return Home(self.data_dir)

    def url(self, service: Service) -> str:
        """Return the address of a service, or end the command with the next step."""
        given = self.urls.get(service)
        return given.rstrip("/") if given else str(getattr(self._running(), service))

    def api_key(self) -> str:
        """Return the API key, or end the command with the next step."""
        return self.key or self._running().api_key

    def _running(self) -> Run:
        self._found = self._found or self.home.run()
        if self._found is None:
            raise CommandError(
                f"no instance runs on {self.data_dir}. Start one with `cxloop up`, or name a running one: "
                "CXLOOP_INGEST_URL, CXLOOP_SCORING_URL, CXLOOP_ALERTS_URL and CXLOOP_API_KEY."
            )
        return self._found

    def get(self, service: Service, path: str, /, **query: object) -> Json:
        """GET a path below /v1; parameters that are None are left out."""
        params = {name: str(text) for name, text in query.items() if text is not None}
        return self._call(service, "GET", path, query=params)

    def post(self, service: Service, path: str, body: Json | None = None) -> Json:
        """POST a body to a path below /v1."""
        return self._call(service, "POST", path, body=body or {})

    def delete(self, service: Service, path: str) -> Json:
        """DELETE a path below /v1."""
        return self._call(service, "DELETE", path)

    def items(self, service: Service, path: str, /, limit: int, **query: object) -> Iterator[Json]:
        """Walk a list page by page, up to `limit` items."""
        cursor: str | None = None
        while limit > 0:
            page = self.get(service, path, limit=min(limit, PAGE), cursor=cursor, **query)
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page.get("next")
            if not cursor or not page["items"]:
                return

    def _call(
        self,
        service: Service,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Json | None = None,
    ) -> Json:
        import httpx

        url = self.url(service)
        headers = {"Authorization": f"Bearer {self.api_key()}"}
        try:
            answer = httpx.request(
                method, f"{url}/v1{path}", headers=headers, params=query, json=body, timeout=TIMEOUT_S
            )
        except httpx.TransportError as error:
            raise CommandError(
                f"the {service} service at {url} does not answer ({type(error).__name__}). "
                "`cxloop doctor` looks for the reason."
            ) from error
        if answer.is_error:
            _refuse(service, answer)
        found: Json = answer.json() if answer.content else {}
        return found


def _refuse(service: Service, answer: httpx.Response) -> NoReturn:
    """End the command with what the service said, as problem+json if it is that."""
    try:
        problem = answer.json()
        said = problem.get("detail") or problem.get("title") or ""
        places = "; ".join(f"{item['where']}: {item['why']}" for item in problem.get("errors", []))
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError):
        said, places = answer.reason_phrase, ""
    details = f" ({places})" if places else ""
    raise CommandError(f"the {service} service refused with {answer.status_code}: {said}{details}")
