"""The reference of the HTTP API: an OpenAPI document of the server's actions, and a page that shows it.

May import: the other modules of the gateway but its application and its command line.
"""
