"""What `pip install` puts beside other packages: the command `tenantry`, which finds the engine below it.

May import: scripts.cli.commands.
"""
