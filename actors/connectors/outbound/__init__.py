"""What leaves the server: egress policy, targets, HTTP.

May import: actors.connectors.contract.
"""
