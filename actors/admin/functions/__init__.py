"""The engine's own actions on the admin channel, one file for each noun of actors/admin/registry.toml."""
