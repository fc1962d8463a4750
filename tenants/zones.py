"""Time zones: which there are, and in which one a person reads times."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

# Names in these areas are of places; the others are old names for them, or mere offsets.
AREAS = (
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
)  # fmt: skip
UTC_NAME = "UTC"


@cache
def zone_names() -> tuple[str, ...]:
    """What is offered: “UTC”, then area and place, in alphabetical order."""
    places = sorted(name for name in available_timezones() if name.split("/")[0] in AREAS and "/" in name)
    return (UTC_NAME, *places)


def zone_named(text: str) -> str | None:
    """The name that `text` means, whatever its upper and lower case: “europe/berlin”, or a place alone: “new york”."""
    wanted = "_".join(text.split()).casefold()
    return _by_name().get(wanted)


def zones_like(text: str) -> list[str]:
    """What is offered to who has typed `text`: names that hold it."""
    wanted = "_".join(text.split()).casefold()
    return [name for name in zone_names() if wanted in name.casefold()]


def validate_zone(text: str) -> None:
    """Raise ValidationError for what is no name of a time zone: for the field `time_zone` of a model."""
    if text not in available():
        raise ValidationError({"time_zone": _("There is no time zone “%s”.") % text})


def show_times_in(*names: str) -> None:
    """Let pages show times in the first of these zones that exists, until the request ends; else in UTC."""
    timezone.activate(zone_of(*names))


def zone_of(*names: str) -> ZoneInfo:
    """The first of these zones that exists; else UTC. An empty name is none."""
    found = next((name for name in names if name and name in available()), UTC_NAME)
    return ZoneInfo(found)


@cache
def available() -> frozenset[str]:
    """All names, read once: which there are changes with the machine's files alone."""
    return frozenset(available_timezones())


@cache
def _by_name() -> dict[str, str]:
    """Lower case names and places to names; two names with the same place are the same zone: the shorter counts."""
    longest_first = sorted(zone_names(), key=len, reverse=True)
    places = {name.rsplit("/", 1)[-1].casefold(): name for name in longest_first}
    return places | {name.casefold(): name for name in available()}
