"""In which zone times are shown, and which names of zones are understood."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from tenants.models import Membership, Tenant, User
from tenants.zones import available, validate_zone, zone_named, zone_names, zone_of, zones_like
from tests.conftest import MakeTenant

Browser = Callable[[User], Client]


class TestNames:
    def test_offered_are_places_and_utc(self) -> None:
        names = zone_names()
        assert names[0] == "UTC"
        assert {"Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata"} <= set(names)
        assert not {"EST5EDT", "GB", "Etc/GMT+3", "US/Pacific"} & set(names)
        assert set(names) <= available()

    @pytest.mark.parametrize("name", zone_names()[::40])
    def test_are_all_zones(self, name: str) -> None:
        assert datetime(2026, 11, 23, tzinfo=ZoneInfo(name)).utcoffset() is not None

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("Europe/Berlin", "Europe/Berlin"),
            (" europe/berlin ", "Europe/Berlin"),
            ("utc", "UTC"),
            ("new york", "America/New_York"),
            ("Buenos  Aires", "America/Buenos_Aires"),
            ("Etc/GMT+3", "Etc/GMT+3"),
            ("Atlantis", None),
            ("../../etc/passwd", None),
            ("", None),
            ("\0", None),
        ],
    )
    def test_are_understood_as_people_type_them(self, typed: str, meant: str | None) -> None:
        assert zone_named(typed) == meant

    def test_with_the_same_place_are_the_same_zone(self) -> None:
        """So it does not matter which one a place alone means."""
        moments = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
        found: dict[str, set[tuple[object, ...]]] = {}
        for name in zone_names():
            offsets = tuple(moment.astimezone(ZoneInfo(name)).utcoffset() for moment in moments)
            found.setdefault(name.rsplit("/", 1)[-1], set()).add(offsets)
        assert {place for place, offsets in found.items() if len(offsets) > 1} == set()

    def test_hold_what_was_typed(self) -> None:
        assert zones_like("new y") == ["America/New_York"]
        assert "Europe/Berlin" in zones_like("europe")
        assert zones_like("") == list(zone_names())

    def test_that_do_not_exist_are_refused(self) -> None:
        with pytest.raises(ValidationError):
            validate_zone("Europe/Atlantis")

    def test_the_first_that_exists_counts_else_utc(self) -> None:
        assert zone_of("", "Asia/Tokyo").key == "Asia/Tokyo"
        assert zone_of("Gone/Away", "").key == "UTC"


class TestZoneMiddleware:
    """The page of settings says which zone its times are in."""

    def zone(self, client: Client, slug: str = "northwind") -> str:
        page = client.get(f"/t/{slug}/settings/").content.decode()
        return page.partition("Times are ")[2].partition(";")[0].partition(".")[0]

    def test_shows_times_in_ones_own_zone_else_the_tenants_else_utc(
        self, client_for: Browser, owner: User, make_tenant: MakeTenant
    ) -> None:
        Membership.objects.create(tenant=make_tenant("other"), user=owner)
        browser = client_for(owner)
        assert self.zone(browser) == "UTC"
        Tenant.objects.filter(slug="northwind").update(time_zone="Europe/Berlin")
        assert self.zone(browser) == "in Europe/Berlin"
        assert self.zone(browser, "other") == "UTC"
        User.objects.update(time_zone="Asia/Tokyo")
        assert {self.zone(browser), self.zone(browser, "other")} == {"in Asia/Tokyo"}

    def test_shows_staff_the_tenants_zone_or_their_own(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        Tenant.objects.update(time_zone="Europe/Berlin")
        assert self.zone(client_for(staff)) == "in Europe/Berlin"
        User.objects.update(time_zone="Asia/Tokyo")
        assert self.zone(client_for(staff)) == "in Asia/Tokyo"

    def test_shows_no_persons_zone_to_the_next_one(
        self, client_for: Browser, owner: User, staff: User
    ) -> None:
        User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")
        self.zone(client_for(owner))
        assert timezone.get_current_timezone_name() == "UTC"
        assert self.zone(client_for(staff)) == "UTC"

    def test_survives_a_zone_that_is_gone(self, client_for: Browser, owner: User) -> None:
        User.objects.update(time_zone="Gone/Away")
        assert self.zone(client_for(owner)) == "UTC"

    def test_leaves_the_admin_in_utc_where_times_are_typed_in(
        self, client_for: Browser, staff: User, tenant: Tenant
    ) -> None:
        User.objects.update(time_zone="Asia/Tokyo")
        Tenant.objects.update(created_at=datetime(2026, 1, 1, 20, tzinfo=UTC))
        page = client_for(staff).get(f"/admin/tenants/tenant/{tenant.pk}/change/").content.decode()
        assert "Jan. 1, 2026, 8 p.m." in page
