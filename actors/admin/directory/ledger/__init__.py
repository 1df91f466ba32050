"""What the Directory writes down of releases: which run of migrations did what to which tenant.

May import: actors.admin.directory.repository, actors.admin.directory.tables, actors.admin.migration_messages.
"""
