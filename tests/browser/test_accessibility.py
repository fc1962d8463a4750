"""axe-core finds nothing on any page, and none is wider than the narrowest screen: light, dark and at 320 px."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.judging import CALM, faults
from tests.browser.site import Site
from tests.browser.window import Windows
from tests.browser.world import NOBODY, STAFF

ROLES = ["owner", "viewer", "staff", "anonymous"]
UNPROCESSABLE, FORBIDDEN, NOT_FOUND, TOO_MANY = 422, 403, 404, 429


def judged(page: Page, paths: list[str]) -> list[str]:
    """What is wrong with these pages."""
    wrong = []
    for path in paths:
        answer = page.goto(path)
        assert answer, path
        assert answer.ok, path
        wrong += [f"{path} {one}" for one in faults(page)]
    return wrong


def window(windows: Windows, site: Site, role: str) -> Page:
    """Of who has this role in the tenant whose pages are walked."""
    if role == "anonymous":
        return windows.stranger(**CALM)
    return windows.of(STAFF if role == "staff" else site.world.side.people[role].email, **CALM)


class TestPages:
    @pytest.mark.parametrize("role", ROLES)
    def test_are_open_to_everybody_who_may_see_them(self, site: Site, windows: Windows, role: str) -> None:
        wrong = judged(window(windows, site, role), site.world.places[role])
        assert not wrong, "\n".join(wrong)

    def test_of_who_belongs_to_nobody_is_too(self, windows: Windows) -> None:
        assert not judged(windows.of(NOBODY, **CALM), ["/"])


class TestForms:
    @pytest.mark.parametrize("role", ROLES)
    def test_with_a_mistake_are_open_to_everybody(self, site: Site, windows: Windows, role: str) -> None:
        page = window(windows, site, role)
        for path, typed in [(one.path, one.typed) for one in site.world.mistakes if one.actor == role]:
            page.goto("/sign-in/" if role == "anonymous" else "/")
            assert windows.send(page, path, typed) in (200, UNPROCESSABLE), path
            wrong = faults(page)
            assert not wrong, "\n".join([path, *wrong])


class TestRefusal:
    def test_of_what_a_role_does_not_open_is_one(self, site: Site, windows: Windows) -> None:
        page, home = window(windows, site, "viewer"), f"/t/{site.world.side.tenant.slug}/"
        assert windows.refused(page, f"{home}cost/") == FORBIDDEN
        wrong = faults(page)
        assert windows.refused(page, site.world.quarry.home) == NOT_FOUND
        wrong += faults(page)
        wrong += judged(page, ["/product/failed/", home])
        assert windows.send(page, f"{home}settings/zone/", {}, token="f" * 64) == FORBIDDEN
        wrong += faults(page)
        assert not wrong, "\n".join(wrong)

    def test_of_what_staff_may_not_change_is_one(self, site: Site, windows: Windows) -> None:
        page, home = window(windows, site, "staff"), f"/t/{site.world.side.tenant.slug}/"
        page.goto(home)
        assert windows.send(page, f"{home}keys/add/", {"name": "mine"}) == FORBIDDEN
        assert not faults(page)

    def test_of_what_is_used_up_is_one(self, site: Site, windows: Windows) -> None:
        page = windows.of(site.world.quarry.viewer, **CALM)
        assert windows.refused(page, "/product/report/") == TOO_MANY
        page.get_by_text("For developers").click()
        assert not faults(page)

    def test_of_who_asks_too_often_is_one(self, windows: Windows) -> None:
        page = windows.stranger(**CALM)
        for _ in range(6):
            page.goto("/password/reset/")
            status = windows.send(page, "/password/reset/", {"email": "often@nowhere.example"})
        assert status == TOO_MANY
        assert not faults(page)
