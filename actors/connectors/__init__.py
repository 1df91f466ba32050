"""Actors that reach outside services for tenants that subscribed."""
