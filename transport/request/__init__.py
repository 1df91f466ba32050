"""Holds requests: the model, how a server reads one from bytes, and what a client checks before it sends one.

May import: transport's codec, limits and vocabulary.
"""
