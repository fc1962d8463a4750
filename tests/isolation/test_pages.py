"""Every address of ours, by every method, as everybody, as a page and for HTMX: who gets what, and nobody more."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from django.utils import timezone

from tests.isolation.actors import World, undone
from tests.isolation.addresses import Address, addresses
from tests.isolation.asked import body_of, path_of, queries_of
from tests.isolation.judging import cell, kept, shown
from tests.isolation.table import ACTORS, EXEMPT, METHODS, ROWS, MissingRow, expected
from usage.metering import Charge, record

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

KNOWN = {address for address, _method in ROWS}
OURS = [one for one in addresses() if not one.is_admins or one.name in KNOWN]
OF_TENANTS = [one for one in OURS if "<slug:slug>" in one.route]
BY_HTMX = ("GET", "POST")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
STRANGERS = ("anonymous", "other", "other-key")
WITHOUT_KEY = [actor for actor in ACTORS if "key" not in actor and actor != "service"]


def requests(address: Address, world: World) -> Iterator[tuple[str, str, bool, str]]:
    """Method, actor, whether by HTMX, and path."""
    path, queries = path_of(address, world.ours), queries_of(address, world.ours)
    for method, actor in product(METHODS, ACTORS):
        for htmx in (False, True) if method in BY_HTMX else (False,):
            for query in queries if method == "GET" else [""]:
                yield method, actor, htmx, f"{path}?{query}" if query else path


@pytest.mark.parametrize("address", OURS, ids=str)
class TestAddress:
    def test_gives_everybody_what_the_table_says(self, world: World, address: Address) -> None:
        wrong, body = [], body_of(address, world.ours)
        for method, actor, htmx, path in requests(address, world):
            sent = body if method in UNSAFE else None
            answer = world.send(actor, method, path, sent, htmx=htmx)
            got, want = cell(answer), expected(address.name, method, actor, htmx=htmx)
            asked = f"{method} {path} as {actor}{' by HTMX' * htmx}"
            if got != want:
                wrong.append(f"{asked}: {got}, but {want} in the table")
            wrong += [f"{asked} shows “{one}”" for one in shown(answer, world.hidden_from(actor), sent)]
        assert not wrong, "\n".join(wrong)

    def test_takes_nothing_that_a_foreign_page_sends(self, world: World, address: Address) -> None:
        path, body = path_of(address, world.ours), body_of(address, world.ours)
        for method, actor in product(UNSAFE, WITHOUT_KEY):
            got = cell(world.send(actor, method, path, body, token=False))
            is_exempt = address.name in EXEMPT
            want = expected(address.name, method, actor, htmx=False) if is_exempt else "403"
            assert got == want, f"{method} {path} as {actor} without a token"

    def test_lets_strangers_change_nothing(self, world: World, address: Address) -> None:
        path, body = path_of(address, world.ours), body_of(address, world.ours)
        record(world.ours.tenant, Charge("api_calls"), at=timezone.now())
        before = kept(world.ours.tenant)
        for actor in STRANGERS:
            with undone():
                for method in METHODS:
                    world.ask(actor, method, path, body)
                assert kept(world.ours.tenant) == before, f"{path} as {actor}"


class TestTable:
    def test_has_no_row_without_an_address(self) -> None:
        assert {one.name for one in addresses()} >= KNOWN

    def test_says_where_a_row_is_missing(self) -> None:
        with pytest.raises(MissingRow, match=r"usage:new has no row: add one to PAGES in tests/isolation/"):
            expected("usage:new", "GET", "owner", htmx=False)


class TestOtherTenants:
    @pytest.mark.parametrize("address", OF_TENANTS, ids=str)
    @pytest.mark.parametrize("htmx", [False, True])
    def test_look_as_if_they_did_not_exist(self, world: World, address: Address, htmx: bool) -> None:
        """What a stranger gets for a tenant that exists is, to the letter, what one gets for none."""
        path, body = path_of(address, world.ours), body_of(address, world.ours)
        nowhere = path.replace(world.ours.tenant.slug, "nowhere")
        method = "POST" if address.name == "usage:ask_plan" else "GET"
        there, none = (world.send("other", method, one, body, htmx=htmx) for one in (path, nowhere))
        assert (there.status_code, there.content) == (none.status_code, none.content)

    @pytest.mark.parametrize("address", OF_TENANTS, ids=str)
    def test_give_up_nothing_to_who_asks_in_their_own_name(self, world: World, address: Address) -> None:
        """An owner's own address, but with our channel, delivery or member in it."""
        path, body = path_of(address, world.ours), body_of(address, world.ours)
        path, before = path.replace(world.ours.tenant.slug, world.theirs.tenant.slug), kept(world.ours.tenant)
        with undone():
            for method, htmx in product(METHODS, (False, True)):
                answer = world.ask("other", method, path, body, htmx=htmx)
                assert not shown(answer, world.ours.marks, body), f"{method} {path}"
            assert kept(world.ours.tenant) == before

    @pytest.mark.parametrize(("actor", "path"), [("owner", "/t/zephyrine-works/"), ("key", "/api/usage")])
    def test_show_to_their_own_what_is_looked_for_above(self, world: World, actor: str, path: str) -> None:
        found = shown(world.send(actor, "GET", path), world.ours.marks)
        assert {"zephyrine", "483,647"} <= set(found) or {"zephyrine", "483647"} <= set(found)
