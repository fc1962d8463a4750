"""What tenants, people, keys and labels are called is text wherever it is shown: never markup, never a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.utils import timezone
from django.utils.html import escape

from tenants.models import User
from tests.isolation.actors import World
from tests.isolation.addresses import addresses
from tests.isolation.asked import path_of, queries_of
from tests.usage.counted import use

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

EVIL = "=1+1<img src=x onerror=alert(1)>'\"{{7*7}}"
LABEL = "@SUM(1)<b>'\"{{7*7}}"  # at most 48 bytes
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture
def named(world: World) -> World:
    """The world with everything of one tenant that people may name called like that."""
    side, at = world.ours, timezone.now()
    use(side.tenant, "api_calls", 7, at=at, label=LABEL)
    type(side.tenant)._default_manager.filter(pk=side.tenant.pk).update(name=EVIL)
    User.objects.filter(pk__in=[one.pk for one in side.people.values()]).update(
        first_name=EVIL, last_name=EVIL
    )
    side.tenant.api_keys.update(name=EVIL[:40])
    side.tenant.overrides.update(reason=EVIL, ends=at + timedelta(days=3))
    side.tenant.subscriptions.update(reason=EVIL)
    return world


def answers(world: World) -> Iterator[tuple[str, Any]]:
    """Every page that the owner or operations get, and of the owner's the parts for HTMX."""
    for address in addresses():
        for query in queries_of(address, world.ours):
            path = f"{path_of(address, world.ours)}?{query}"
            for actor, htmx in (("owner", False), ("owner", True), ("staff", False)):
                answer = world.send(actor, "GET", path, htmx=htmx)
                if answer.status_code == 200:
                    yield f"{path} as {actor}", answer


def cells(answer: Any) -> Iterator[str]:
    for row in csv.reader(StringIO(answer.getvalue().decode("utf-8-sig"))):
        yield from row


class TestNames:
    def test_are_text_on_every_page_and_in_every_file(self, named: World) -> None:
        shown = 0
        for asked, answer in answers(named):
            kind = answer.headers["Content-Type"]
            if kind.startswith("text/html"):
                page = answer.getvalue().decode()
                assert "<img src=x" not in page, asked
                assert "@SUM(1)<b>" not in page, asked
                assert "49" not in page.partition(escape(EVIL))[2][:2], asked  # {{7*7}} was not computed
                shown += escape(EVIL) in page
            elif kind.startswith("text/csv"):
                wrong = [cell for cell in cells(answer) if cell.startswith(FORMULA) and not _is_number(cell)]
                assert not wrong, asked
        assert shown > 20


def _is_number(cell: str) -> bool:
    return cell.lstrip("+-").replace(".", "", 1).isdecimal()
