"""One actor and one database per tenant."""
