"""`progress-worker config`."""

import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_BOUNDS = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


@click.command("config")
@click.option("--all", "everything", is_flag=True, help="Show the settings for tuning too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, always with all settings.")
def command(everything: bool, as_json: bool) -> None:
    """Show the settings.

    The main ones and any others that are set, without passwords.
    """
    from worker.cli.output import new_table, show, show_json
    from worker.printable import printable

    settings = describe_settings()
    if as_json:
        show_json(settings)
        return
    prose, spare = ("value", "default", "unit, range", "meaning"), ("unit, range", "default")
    table = new_table(None, "variable", "value", "default", "unit, range", "meaning", prose=prose, spare=spare)
    shown = [each for each in settings if everything or each["group"] == "main" or each["origin"] != "default"]
    for each in shown:
        limits = ", ".join(part for part in (each["unit"], each["range"]) if part)
        value, default = _text(each["value"]), _text(each["default"])
        origin = {"environment": " *", "up": " (of the running `up`)"}.get(each["origin"], "")
        table.add_row(each["variable"], printable(value) + origin, default, limits, each["description"])
    show(table)
    show("* set in the environment")
    if len(shown) < len(settings):
        show(f"{len(settings) - len(shown)} more for tuning: --all")


def describe_settings() -> list[dict[str, Any]]:
    """Return a mapping per setting. Raise ConfigurationError when one is wrong."""
    from worker.cli.output import redacted
    from worker.main_settings import MainSettings
    from worker.settings import Settings, environment_settings, get_settings, variable_name

    own, found = environment_settings(), get_settings()
    present = {name.upper() for name in os.environ}
    described = []
    for name, field in Settings.model_fields.items():
        value, variable = getattr(found, name), variable_name(name)
        if value is not None and name.endswith("_url"):
            value = redacted(value)
        origin = "environment" if variable in present else "default"
        if getattr(own, name) != getattr(found, name):
            origin = "up"
        described.append(
            {
                "variable": variable,
                "group": "main" if name in MainSettings.model_fields else "tuning",
                "value": value if isinstance(value, int | float | None) else str(value),
                "default": field.default if isinstance(field.default, int | float | None) else str(field.default),
                "origin": origin,
                "unit": "seconds" if name.endswith("_seconds") else None,
                "range": _range(field),
                "description": field.description or "",
            }
        )
    return described


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _range(field: "FieldInfo") -> str | None:
    """Return the bounds, all of which apply, or the choices."""
    from typing import Literal, get_args, get_origin

    if get_origin(field.annotation) is Literal:
        return " | ".join(get_args(field.annotation))
    bounds = [
        form.format(f"{bound:,}")
        for each in field.metadata
        for name, form in _BOUNDS.items()
        if (bound := getattr(each, name, None)) is not None
    ]
    return ", ".join(bounds) or None
