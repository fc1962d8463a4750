"""Whatever is sent to an address of ours, the answer is one of its own: never an error of the server."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.isolation.actors import Body, World
from tests.isolation.addresses import Address, addresses
from tests.isolation.asked import body_of, path_of, queries_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

FORM = "application/x-www-form-urlencoded"
ACTORS = ("anonymous", "owner", "staff", "key", "service")
# What has broken programs before: of databases, numbers, dates, paths, markup and encodings.
NASTY = (
    *(
        "",
        "\0",
        "%00",
        "'",
        "' OR 1=1 --",
        "\\",
        "-1",
        "0",
        "1e400",
        "9" * 40,
        "NaN",
        "١٢",
        "null",
        "[]",
        "on",
        "x:y:z",
    ),
    *("2026-02-30", "0000-00-00", "99999-01-01", "2026-11", "2026-11-01T00:00:00+99:99", "//evil.example"),
    *(
        "../../etc/passwd",
        "<script>",
        "{{7*7}}",
        "=1+1",
        "\r\nSet-Cookie: a=b",
        "\ud800",
        "é" * 500,
        "a" * 9_000,
    ),
)
NAMES = (
    *(
        "after",
        "q",
        "plan",
        "state",
        "metric",
        "sort",
        "seen",
        "range",
        "from",
        "until",
        "view",
        "label",
        "status",
    ),
    *("channel", "tenant", "person", "kind", "month", "only", "to", "end", "next"),
    *("e", "p", "o", "all", "_popup", "term", "date__gte", "pk__in"),  # the admin's own
)
# They say 503 on purpose: nothing flushes here; a receiver of the demo that is broken.
UNREADY = {"usage:readyz", "demo:broken"}
DEEP = "[" * 20_000
JSON = (DEEP, '{"user": 1}', '{"user": "\\ud800"}', "{", "")
TYPES = (FORM, "application/json", "text/plain", "multipart/form-data; boundary=x", "é")
values = st.sampled_from(NASTY) | st.text(max_size=30)
pairs = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), values), max_size=4)
bodies = st.builds(Body, st.sampled_from(JSON), st.just("application/json")) | st.builds(
    Body, st.text(max_size=60), st.sampled_from(TYPES)
)
any_input = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def encoded(found: list[tuple[str, str]]) -> str:
    """A query or a form of these, whatever is in them."""
    return "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in found)


def _escaped(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"))


@pytest.mark.parametrize("address", addresses(), ids=str)
class TestAddress:
    @any_input
    @given(actor=st.sampled_from(ACTORS), query=pairs, htmx=st.booleans())
    @example(actor="owner", query=[(name, "\0") for name in NAMES], htmx=False)
    @example(actor="staff", query=[(name, "9" * 40) for name in NAMES], htmx=True)
    @example(actor="staff", query=[(name, "2026-02-30") for name in NAMES], htmx=False)
    def test_answers_any_query(
        self, world: World, address: Address, *, actor: str, query: list[tuple[str, str]], htmx: bool
    ) -> None:
        answer = world.send(actor, "GET", f"{path_of(address, world.ours)}?{encoded(query)}", htmx=htmx)
        assert answer.status_code < 500 or address.name in UNREADY

    @any_input
    @given(
        actor=st.sampled_from(ACTORS), method=st.sampled_from(("POST", "PUT", "PATCH", "DELETE")), body=bodies
    )
    @example(actor="service", method="POST", body=Body(DEEP, "application/json"))
    @example(actor="service", method="POST", body=Body("a" * 3_000_000))
    def test_answers_any_body(
        self, world: World, address: Address, *, actor: str, method: str, body: Body
    ) -> None:
        answer = world.send(actor, method, path_of(address, world.ours), body)
        assert answer.status_code < 500 or address.name in UNREADY

    @any_input
    @given(value=values, place=st.integers(0, 20), actor=st.sampled_from(("owner", "staff")))
    def test_answers_any_value_in_the_fields_of_its_form(
        self, world: World, address: Address, *, value: str, place: int, actor: str
    ) -> None:
        """A form that is right but for one field."""
        fields = re.findall(r"([^&=]+)=([^&]*)", body_of(address, world.ours).content)
        if fields:
            wrong = place % len(fields)
            sent = "&".join(
                f"{name}={_escaped(value) if number == wrong else kept}"
                for number, (name, kept) in enumerate(fields)
            )
            answer = world.send(actor, "POST", path_of(address, world.ours), Body(sent))
            assert answer.status_code < 500

    @any_input
    @given(value=values, place=st.integers(0, 5), actor=st.sampled_from(("owner", "staff")))
    def test_answers_any_value_in_its_own_queries(
        self, world: World, address: Address, *, value: str, place: int, actor: str
    ) -> None:
        queries: Any = queries_of(address, world.ours)
        known = [name for query in queries for name in re.findall(r"([^&=]+)=", query)]
        if known:
            query = encoded([(known[place % len(known)], value)])
            answer = world.send(actor, "GET", f"{path_of(address, world.ours)}?{query}")
            assert answer.status_code < 500
