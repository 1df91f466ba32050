"""What is checked in the transaction of a command: may the caller still, was it done, is all as expected.

May import: actors.admin.directory's repository, tables and config_history, actors.admin's messages.
"""
