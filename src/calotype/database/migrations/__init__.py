"""How the tables came to be, step by step; `calotype.database.schema` runs the steps."""
