"""HTTP of alerts: routers and their models."""
