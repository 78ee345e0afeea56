"""From rows to points: rows are chosen by their fields, and those about one thing are joined."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def chosen(rows: Sequence[Row], field: str, value: str) -> list[Row]:
    """Return the rows whose `field` has the value, and those without the field.

    Rows of another kind, which do not have the field, are kept so that they can be joined.

    Args:
        rows: of any kinds.
        field: a name.
        value: as JSON writes it, a string without quotes: `host`, `4`, `true`, `null`.

    Raises:
        ValueError: no row has that value there; the message lists those that rows have.
    """
    values = {_text(row[field]) for row in rows if field in row}
    kept = [row for row in rows if field not in row or _text(row[field]) == value]
    if not any(field in row for row in kept):
        raise ValueError(
            f"no row has {field}={value!r}; values there: "
            + (", ".join(sorted(values)) or f"none, as no row has a field {field!r}")
        )
    return kept


def joined(rows: Iterable[Row], key: str, fields: Sequence[str]) -> list[Row]:
    """Make one row of all rows that have the same value under a key.

    Each field is taken from the first row in which it is not null. Rows without the key are left
    out.

    Args:
        rows: of any kinds.
        key: name of the field that says what a row is about, for example `sha256`.
        fields: those that may not differ between the rows that are joined.

    Returns:
        One row per value of the key, in the order of their first rows.

    Raises:
        ValueError: no row has the key, or one of `fields` has several values for the same key.
    """
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.get(key) is None:
            continue
        group = groups.setdefault(_text(row[key]), {})
        for name, value in row.items():
            if group.get(name) is None:
                group[name] = value
            elif name in fields and value is not None and value != group[name]:
                raise ValueError(
                    f"rows with the {key} {row[key]!r:.20} differ in {name}: {group[name]!r} and "
                    f"{value!r}; choose one by --where FIELD=VALUE, as device=host"
                )
    if not groups:
        raise ValueError(f"no row has a field {key!r} to join by")
    return list(groups.values())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
