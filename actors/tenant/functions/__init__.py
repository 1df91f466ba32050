"""The folder of potential backend code: one module for each noun, one function for each action.

May import: actors.tenant.context, actors.errors, actors.profiles, actors.schema.
"""
