"""Actors that write the logs; nobody else does."""
