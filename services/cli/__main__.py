"""`python -m services.cli`: the same as the command `cxloop`."""

from services.cli.main import app

if __name__ == "__main__":  # processes that it spawns import it, too
    app()
