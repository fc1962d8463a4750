"""Every form of ours with wrong input: the message stands beside its field, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings

from tests.isolation.actors import Body, World
from tests.isolation.addresses import Address, addresses
from tests.isolation.asked import path_of
from tests.isolation.controls import read
from tests.isolation.judging import kept
from tests.isolation.mistakes import BUTTONS, ELSEWHERE, FORMS, mistake
from tests.isolation.table import ROWS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

TAKING = {
    name
    for (name, method), row in ROWS.items()
    if method == "POST" or (method == "*" and {"200", "302"} & set(row.values()))
}
POSTED = [one for one in addresses() if one.name in TAKING and not one.name.startswith("demo:")]


@pytest.mark.parametrize("address", POSTED, ids=str)
class TestForm:
    def test_says_what_is_wrong_beside_its_field_and_loses_nothing(
        self, world: World, address: Address
    ) -> None:
        wrong = mistake(address)
        if wrong is None:
            return
        before = kept(world.ours.tenant)
        answer = world.send(
            wrong.actor, "POST", path_of(address, world.ours), Body(urlencode(wrong.typed, doseq=True))
        )
        page = read(answer)
        assert answer.status_code in (200, 422)
        assert page.said_of(wrong.at), f"nothing is said beside {wrong.at}"
        assert [name for name in page.fields if page.said_of(name)] == [wrong.at]
        lost = {
            name: value
            for name, value in wrong.typed.items()
            if name not in wrong.forgotten
            and value.strip() not in {one.strip() for one in page.held.get(name, ())}
        }
        assert not lost, f"no longer on the page: {lost}"
        assert kept(world.ours.tenant) == before


class TestTables:
    def test_name_nothing_that_is_no_form(self) -> None:
        assert {*FORMS, *ELSEWHERE, *BUTTONS} <= {one.name for one in POSTED}

    def test_name_files_that_are_there(self) -> None:
        assert all(Path(settings.BASE_DIR, file).is_file() for file in ELSEWHERE.values())
