"""Every address of the admin, also of models to come: staff by their permissions, and nobody else at all."""

from __future__ import annotations

from itertools import product

import pytest

from tests.isolation.actors import World
from tests.isolation.addresses import Address, addresses
from tests.isolation.admin_table import MODEL_ROWS, SITE_ROWS, expected
from tests.isolation.asked import body_of, path_of, queries_of
from tests.isolation.judging import cell, shown
from tests.isolation.table import ACTORS, METHODS, ROWS, MissingRow

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

ADMINS = [one for one in addresses() if one.is_admins and (one.name, "*") not in ROWS]
STAFF = ("staff", "clerk")
# The admin itself knows nothing of HTMX: two methods show that its gate doesn't either.
ASKED = [*((method, False) for method in METHODS), ("GET", True), ("POST", True)]
OUTSIDE = [actor for actor in ACTORS if actor not in STAFF]


@pytest.mark.parametrize("address", ADMINS, ids=str)
class TestAddress:
    def test_sends_everybody_else_to_sign_in(self, world: World, address: Address) -> None:
        path, body = path_of(address, world.ours), body_of(address, world.ours)
        # Who is signed in stays so, and is led to the admin's first page, which is closed to them.
        ends = {"in", "302"} if address.name == "admin:logout" else {"in"}
        for (method, htmx), actor in product(ASKED, OUTSIDE):
            answer = world.ask(actor, method, path, body, htmx=htmx)  # nothing is done, so nothing is undone
            assert cell(answer) in ends, f"{method} {path} as {actor}"
            assert not shown(answer, world.ours.marks + world.theirs.marks), f"{method} {path} as {actor}"

    def test_gives_staff_what_the_table_says(self, world: World, address: Address) -> None:
        path, body, wrong = path_of(address, world.ours), body_of(address, world.ours), []
        query = queries_of(address, world.ours)[-1]
        for method, actor in product(("GET", "POST"), STAFF):
            got, want = (
                cell(world.send(actor, method, f"{path}?{query}", body)),
                expected(address, method, actor),
            )
            if got != want:
                wrong.append(f"{method} {path} as {actor}: {got}, but {want} in the table")
        assert not wrong, "\n".join(wrong)

    def test_takes_nothing_that_a_foreign_page_sends(self, world: World, address: Address) -> None:
        path, body = path_of(address, world.ours), body_of(address, world.ours)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert cell(world.send("staff", method, path, body, token=False)) == "403", f"{method} {path}"


class TestTables:
    def test_have_no_row_without_an_address(self) -> None:
        known = {one.model or one.name for one in ADMINS}
        assert {name for name, _method in [*SITE_ROWS, *MODEL_ROWS]} <= known

    def test_say_where_a_row_is_missing(self) -> None:
        new = Address(
            "admin:usage_new_change", "admin/usage/new/<path:object_id>/change/", "usage_new", "change"
        )
        with pytest.raises(
            MissingRow, match="usage_new has no row: add GET to MODELS in tests/isolation/admin_table"
        ):
            expected(new, "GET", "staff")
