"""HTTP of ingest: raw endpoints for deliveries and events, routers for the management of both."""
