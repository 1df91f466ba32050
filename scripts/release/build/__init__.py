"""Builds a bundle from the folder of an index: what is in it, why, and that its tests pass.

May import: scripts.release.bundle, scripts.release.problem, scripts.codegen, actors.
"""
