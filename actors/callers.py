"""Who is calling, on either channel: what the Directory said of tokens, tenants and grants."""
