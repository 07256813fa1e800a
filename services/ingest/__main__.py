"""`python -m services.ingest`: one process, settings from the environment."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # until `run` has made the app: a sixth of the start went into looking for garbage
    from services.ingest.app import create_app
    from services.ingest.settings import Settings
    from shared.runtime.service import run

    settings = Settings.of_environment()
    run(lambda: create_app(settings), settings, "ingest")
