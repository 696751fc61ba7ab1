"""Model servers: client, pool, queue and budget."""
