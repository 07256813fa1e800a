"""`.ci/audit` against a service of advisories: it never says that all is well when nobody could know."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def advisories(*bad: tuple[str, str]) -> Iterator[str]:
    """A service that speaks OSV's language and knows of these names and versions. Gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            name = asked["package"]["name"]
            ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.7"}]}]
            affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
            found = {"id": "TEST-1", "summary": "x", "details": "x", "affected": affected}
            known = (name, asked["version"]) in bad
            body = json.dumps({"vulns": [found]} if known else {}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """As much of the repository as the script reads, with two packages."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "audit", tmp_path / ".ci" / "audit")
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    for lock in ("requirements.lock", "requirements-run.lock"):
        (tmp_path / lock).write_text("idna==3.10\nmsgspec==0.20.0\n")
    return tmp_path


def audit(tree: Path, service: str) -> subprocess.CompletedProcess[str]:
    settings = {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": service}
    return subprocess.run(
        [tree / ".ci" / "audit"], env=os.environ | settings, capture_output=True, text=True, timeout=120
    )


CANARY = ("idna", "3.6")


def test_nothing_known_is_said_only_by_a_service_that_knows_something(tree: Path) -> None:
    with advisories(CANARY) as service:
        done = audit(tree, service)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no known vulnerability" in done.stdout
    parts = json.loads((tree / "build" / "sbom.json").read_text())
    assert parts["bomFormat"] == "CycloneDX"
    assert {(one["name"], one["version"]) for one in parts["components"]} == {
        ("idna", "3.10"),
        ("msgspec", "0.20.0"),
    }


def test_what_is_known_is_told_and_fails(tree: Path) -> None:
    with advisories(CANARY, ("msgspec", "0.20.0")) as service:
        done = audit(tree, service)
    assert done.returncode == 1
    assert "msgspec" in done.stdout
    assert "TEST-1" in done.stdout


def silent() -> AbstractContextManager[str]:
    return advisories()


@contextmanager
def closed() -> Iterator[str]:
    with advisories() as address:
        pass
    yield address


@pytest.mark.parametrize("service", [silent, closed])
def test_without_a_service_that_knows_it_says_so_plainly(
    tree: Path, service: Callable[[], AbstractContextManager[str]]
) -> None:
    with service() as address:
        done = audit(tree, address)
    assert done.returncode == 0
    assert "NOT DONE" in done.stderr
    assert "no known vulnerability" not in done.stdout + done.stderr
    assert not (tree / "build" / "sbom.json").exists()
