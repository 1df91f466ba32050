"""Builds a bundle from the folder of an index: what is in it, why, and that its tests pass.

May import: scripts.releasing.bundle, scripts.releasing.problem, scripts.codegen, actors.
"""
