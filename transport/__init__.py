"""Moves messages between processes; knows no actor."""
