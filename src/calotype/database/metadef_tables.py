"""The tables of metadata definitions, beside those of `tables.py`; times and text as there.

Properties, objects, tags and associations with resource types are rows of one table: they have the same verbs and
differ in their documents only, which are JSON text in `body`. `key` is the name by which a part is unique.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Table, Text

from calotype.database.tables import metadata

__all__ = ["metadata", "namespaces", "parts", "resource_types"]

TEXT = Text().with_variant(Text(collation="C"), "postgresql")

namespaces = Table(
    "metadef_namespaces",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("display_name", TEXT),
    Column("description", TEXT),
    Column("visibility", TEXT, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("owner", TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("metadef_namespaces_by_name", "name", unique=True),
    Index("metadef_namespaces_newest", "created_at", "id"),
)

parts = Table(
    "metadef_parts",
    metadata,
    Column("namespace_id", TEXT, ForeignKey("metadef_namespaces.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("body", TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("metadef_parts_by_key", "kind", "key", "namespace_id"),
)

# Every type that was ever associated, and the seeded ones, which are `protected`.
resource_types = Table(
    "metadef_resource_types",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("protected", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
