"""The operator's console: a REPL on the admin channel, whose commands come from the server's index.

May import: transport and the rest of scripts.cli, no actor.
"""
