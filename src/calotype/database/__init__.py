"""SQL and only SQL: what the service remembers, on SQLite or PostgreSQL."""
