"""ingest: receive, verify, normalise, publish."""
