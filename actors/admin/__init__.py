"""Who may do what: tenants, people, tokens, and the channel that administers them."""
