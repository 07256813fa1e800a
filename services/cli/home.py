"""What an instance keeps in its data directory beside the parts' data: keys, and where it runs."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import msgspec

from shared.parts.lock import read_owner

KEY_BYTES = 32


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running instance is reached; the fields of the ready line."""

    ingest: str
    scoring: str
    alerts: str
    api_key: str
    kafka: str
    database: str
    console: str | None = None


class Home:
    """The files of one data directory. Those with secrets are readable by their owner only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self._run = directory / "run.json"
        self._api_key = directory / "api.key"

    def secret_key(self) -> str:
        """Return the instance's secret key (base64 of 32 bytes), made at the first call.

        Without it the secrets in the database can never be read again, so it is never replaced.
        """
        path = self.directory / "secret.key"
        if not path.exists():
            _write_private(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
        return path.read_text().strip()

    def api_key(self) -> str | None:
        """Return the API key that the instance made for its owner, None before there is one."""
        with contextlib.suppress(OSError):
            return self._api_key.read_text().strip() or None
        return None

    def keep_api_key(self, key: str) -> None:
        """Keep the owner's API key, so that the next start shows the same."""
        _write_private(self._api_key, key)

    def write_run(self, run: Run) -> None:
        """Tell client commands where the instance is."""
        _write_private(self._run, json.dumps(msgspec.to_builtins(run)))

    def forget_run(self) -> None:
        """Take back `write_run`."""
        self._run.unlink(missing_ok=True)

    def run(self) -> Run | None:
        """Return where the instance of this directory is reached, None when none runs."""
        if self.owner() is None:
            return None
        try:
            found: Any = json.loads(self._run.read_bytes())
            return msgspec.convert(found, Run)
        except (OSError, ValueError, msgspec.ValidationError):
            return None

    def owner(self) -> tuple[int, str] | None:
        """Return process id and start time of the instance that runs on this directory."""
        return read_owner(self.directory / "lock")


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    fresh.replace(path)
