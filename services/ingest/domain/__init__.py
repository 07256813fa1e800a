"""Pure core of ingest: what deliveries mean. No I/O, no clock, no randomness."""
