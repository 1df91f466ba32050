"""The web dashboard: pages over the admin channel, from a process of its own that any browser may ask.

May import: transport, the HTTP of transport.gateway, scripts.cli, and of actors its names of commands.
"""
