"""Many values in one array: PostgreSQL reads what was meant, whatever is in a text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.arrays import among, array, columns
from tenants.models import Tenant

pytestmark = pytest.mark.django_db

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))


def read(literal: str, kind: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [literal])
        return cursor.fetchone()[0]


class TestArray:
    @given(TEXTS)
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    def test_texts_are_read_as_they_were(self, texts: list[str | None]) -> None:
        assert read(array(texts), "text") == texts

    @pytest.mark.parametrize("text", ["NULL", "", " a ", '"', "\\", '\\"', "{}", "a,b", "'", "%s", "\n"])
    def test_texts_that_look_like_something_else_stay_texts(self, text: str) -> None:
        assert read(array([text, text]), "text") == [text, text]

    def test_numbers_dates_and_times_are_read_as_they_were(self) -> None:
        at = datetime(2026, 11, 23, 12, 30, 1, 5, tzinfo=UTC)
        assert read(array([2**62, -1, None]), "bigint") == [2**62, -1, None]
        assert read(array([date(2026, 2, 28)]), "date") == [date(2026, 2, 28)]
        assert read(array([at]), "timestamptz") == [at]

    def test_nothing_is_an_empty_array(self) -> None:
        assert read(array([]), "bigint") == []


class TestColumns:
    def test_rows_become_columns(self) -> None:
        assert columns([(1, "a"), (2, None)]) == ["{1,2}", '{"a",NULL}']


class TestAmong:
    def test_finds_those_rows_and_no_others(self, tenant: Tenant) -> None:
        Tenant.objects.create(slug="other", name="Other")
        found = Tenant.objects.filter(among("pk", [tenant.pk, tenant.pk, 0]))
        assert list(found) == [tenant]
        assert not Tenant.objects.filter(among("pk", [])).exists()
