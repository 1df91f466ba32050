"""The process and its machine: private files, disk errors, clocks, signals, standard error, limits.

May import: actors.errors.
"""
