"""What a database holds besides rows, as `pg_dump` would describe it."""

from typing import Any

from sqlalchemy import Engine

from tests.support.tables import rows

_THEIRS = "NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
_QUERIES = {
    "schemas": f"SELECT nspname, nspowner, nspacl FROM pg_namespace WHERE nspname {_THEIRS} ORDER BY 1",
    "relations": f"""
        SELECT nspname, relname, relkind, relowner, reloptions, relacl, obj_description(pg_class.oid, 'pg_class')
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname {_THEIRS} ORDER BY 1, 2
    """,
    "columns": f"""
        SELECT nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attacl,
               pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE nspname {_THEIRS} AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2, attnum
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid <> 0 ORDER BY 1, 2
    """,
    "indexes": f"SELECT schemaname, indexdef FROM pg_indexes WHERE schemaname {_THEIRS} ORDER BY 1, 2",
    "triggers": """
        SELECT tgrelid::regclass::text, pg_get_triggerdef(oid), tgenabled FROM pg_trigger
        WHERE NOT tgisinternal ORDER BY 1, 2
    """,
    "functions": f"""
        SELECT nspname, pg_get_functiondef(pg_proc.oid) FROM pg_proc
        JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE nspname {_THEIRS} ORDER BY 1, 2
    """,
    "types": f"""
        SELECT nspname, typname, typtype, enumlabel FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace
        LEFT JOIN pg_enum ON enumtypid = pg_type.oid WHERE nspname {_THEIRS} ORDER BY 1, 2, enumsortorder
    """,
}


def catalog(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Schemas, relations, columns, constraints, indexes, triggers, functions and types."""
    return {name: rows(engine, query) for name, query in _QUERIES.items()}
