"""Schemathesis over the three OpenAPI documents, against the services as processes: what they answer is
what the documents say, status, content type, headers and schema; what the documents forbid is refused."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.edge.live import NAMES, Live, services
from tests.integration.ingest.process import make_key

SOAK: Final = os.environ.get("CXLOOP_SOAK") == "1"
EXAMPLES: Final = 200 if SOAK else 4
PHASES: Final = "examples,coverage,fuzzing,stateful" if SOAK else "examples,fuzzing"
DEADLINE_S: Final = 3600 if SOAK else 160
GENERATED: Final = Path(__file__).parents[2] / "docs" / "generated"
CONFIG: Final = """
[checks.positive_data_acceptance]
# 400, 412: what no JSON schema says. A cursor that nobody made, an exit on the wrong side of its entry, a
# vendor that does not exist, an old version in If-Match.
expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412"]
"""


@pytest.fixture(scope="module")
def live(database_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    key = asyncio.run(make_key(database_url))
    with services(database_url, kafka, key, tmp_path_factory.mktemp("live")) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE_S + 20)
@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_documented(live: Live, name: str, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    document = tmp_path / "openapi.json"
    document.write_bytes((GENERATED / f"openapi-{name}.json").read_bytes())
    tool = str(Path(sys.executable).with_name("schemathesis"))
    words = ["run", str(document), "--url", live.urls[name], "--checks", "all", "--phases", PHASES]
    more = ["--max-examples", str(EXAMPLES), "--header", f"Authorization: Bearer {live.key}"]
    done = subprocess.run(
        [tool, *words, *more, "--continue-on-failure", "--no-color"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.parametrize("name", NAMES)
def test_the_live_document_is_the_generated_one(live: Live, name: str) -> None:
    told = httpx.get(f"{live.urls[name]}/openapi.json", timeout=30).json()
    assert told == json.loads((GENERATED / f"openapi-{name}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_allow_lists_every_method_of_a_resource(live: Live, name: str) -> None:
    document = json.loads((GENERATED / f"openapi-{name}.json").read_text())
    with live.client(name) as client:
        for path, item in document["paths"].items():
            answer = client.request("TRACE", path.replace("{", "").replace("}", ""))
            assert answer.status_code == 405, path
            listed = {method.strip() for method in answer.headers["allow"].split(",")}
            assert listed == {method.upper() for method in item if method != "parameters"}, path
