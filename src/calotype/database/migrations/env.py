"""What alembic runs: the steps that are missing, inside the transaction that `calotype.database.schema` began."""

from alembic import context

from calotype.database.metadef_tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
