"""SQL of alerts. Functions take a connection; whoever opened the transaction commits it."""
