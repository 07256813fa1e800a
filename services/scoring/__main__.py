"""`python -m services.scoring`: one process, settings from the environment."""

from __future__ import annotations

from services.scoring.app import create_app
from services.scoring.settings import Settings
from shared.runtime.service import run

if __name__ == "__main__":
    settings = Settings.load()
    run(lambda: create_app(settings), settings, "scoring")
