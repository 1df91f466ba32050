"""What functions are running, in a file that outlives the process, and a process that reports a standstill.

May import: actors.routing and what that may import.
"""
