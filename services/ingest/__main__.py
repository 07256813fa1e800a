"""`python -m services.ingest`: one process, settings from the environment."""

from __future__ import annotations

from services.ingest.app import create_app
from services.ingest.settings import Settings
from shared.runtime.service import run

if __name__ == "__main__":
    settings = Settings.load()
    run(lambda: create_app(settings), settings, "ingest")
