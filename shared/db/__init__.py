"""PostgreSQL: connections, migrations, the transactional outbox and its relay."""
