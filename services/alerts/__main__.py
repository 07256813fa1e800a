"""`python -m services.alerts`: one process of alerts, settings from the environment."""

from __future__ import annotations

from services.alerts.app import NAME, create_app
from services.alerts.settings import Settings
from shared.runtime.service import run

if __name__ == "__main__":
    settings = Settings.load()
    run(lambda: create_app(settings), settings, NAME)
