"""`python -m services.cli`: the same as the command `cxloop`."""

from services.cli.main import app

app()
