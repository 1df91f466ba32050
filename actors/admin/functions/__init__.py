"""What administration offers: a module for each prefix of its actions, a function for each action.

May import: actors.admin.console.context, actors.admin.messages.
"""
