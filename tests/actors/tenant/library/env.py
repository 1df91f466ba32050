"""Alembic's entry into the library's migrations, as the engine has it."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,  # SQLite's DDL is; Alembic assumes that it is not
)
with context.begin_transaction():
    context.run_migrations()
