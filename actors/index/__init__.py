"""The index: registry.toml read whole or refused whole, with what its schemas and code references mean."""
