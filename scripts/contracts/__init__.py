"""The index for others: documents, a typed client, types for functions, a page; written by scripts/schema."""
