"""Every list and form of the admin reads the same for 30 rows as for 3, so that it opens as fast for 100 000."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenants.models import User
from tests.usage.crowded import Crowd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]
FEW, MANY = 3, 30
MOST = 30  # queries of any page


@pytest.fixture
def browser(client_for: Callable[[User], Client], staff: User) -> Client:
    return client_for(staff)


@pytest.fixture
def crowd(staff: User) -> Crowd:
    made = Crowd()
    made.grow(FEW)
    return made


def reads(browser: Client, path: str) -> int:
    """How many queries a page makes."""
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(path).status_code == 200, path
    return len(asked)


def first(model: type[Model], crowd: Crowd) -> Model:
    """The row with the most parts, or the oldest."""
    whole = {
        "tenant": crowd.whole,
        "plan": crowd.plan,
        "allowance": crowd.allowance,
        "costrule": crowd.rule,
        "alert": crowd.alert,
        "user": crowd.person,
        "group": crowd.group,
        "costbill": crowd.bill,
        "delivery": crowd.alert.deliveries.earliest("created_at", "target"),
    }
    found = whole.get(str(model._meta.model_name)) or model._default_manager.order_by("pk").first()
    assert found is not None, f"{model._meta.label}: make one in tests/usage/crowded.py"
    return found


def pages(crowd: Crowd) -> list[str]:
    """Every list, what a search finds in it, and the form of its fullest row."""
    paths = []
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        listed = reverse(f"{name}_changelist")
        paths += [listed, f"{listed}?q=t1", reverse(f"{name}_change", args=[first(model, crowd).pk])]
    return paths


class TestPages:
    def test_read_the_same_for_many_as_for_few(self, browser: Client, crowd: Crowd) -> None:
        for path in pages(crowd):
            browser.get(path)  # what a process remembers is read once
        few = [reads(browser, path) for path in pages(crowd)]
        crowd.grow(MANY - FEW)
        many = {path: reads(browser, path) for path in pages(crowd)}
        grown = {
            path: (before, now)
            for (path, now), before in zip(many.items(), few, strict=True)
            if now != before
        }
        assert grown == {}
        assert {path: now for path, now in many.items() if now > MOST} == {}

    def test_are_tried_with_rows(self, crowd: Crowd) -> None:
        """Else the test above would look at empty lists."""
        assert [one for one in admin.site._registry if one._default_manager.count() < FEW] == []

    def test_count_no_further_than_they_must(self) -> None:
        searched = [one for one in admin.site._registry.values() if one.search_fields]
        assert [one for one in searched if one.show_full_result_count] == []

    def test_offer_no_select_of_tenants_or_people(self, browser: Client, crowd: Crowd) -> None:
        """A hundred thousand of them are typed, not chosen from a list."""
        for model in admin.site._registry:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            paths = [reverse(f"{name}_change", args=[first(model, crowd).pk]), reverse(f"{name}_add")]
            for path in paths:
                html = browser.get(path).content.decode()
                assert not re.search(r'<option value="\d+">(T2|p2@x\.example)</option>', html), path
