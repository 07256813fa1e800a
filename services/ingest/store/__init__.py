"""SQL of ingest: sources, spool, rejected deliveries."""
