"""Long runs that show what the tests cannot: kill -9, a crowd of tenants, blocked threads, a full memory."""
