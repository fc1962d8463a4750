"""A tenant's own keys: how many, replaced with an overlap, and what is written down of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tenants import keyring
from tenants.keyring import MOST, OVERLAPS, NameTaken, NotLive, TooManyKeys, add_key, rotate_key
from tenants.keys import KeyRefused, create_key, find_key, revoke_key
from tenants.models import ApiKey, AuditEntry, Tenant, User
from tests.conftest import MakeTenant
from tests.tenants.crowd import all_at_once

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def works(secret: str, at: datetime) -> bool:
    try:
        find_key(secret, at)
    except KeyRefused:
        return False
    return True


class TestAddKey:
    def test_makes_a_key_that_works_until_it_expires(self, tenant: Tenant, owner: User) -> None:
        made = add_key(tenant, name="job", person=owner, at=NOW, expires_at=NOW + HOUR)
        assert (made.key.tenant, made.key.created_by, made.key.created_at) == (tenant, owner, NOW)
        assert [works(made.secret, NOW + HOUR * n) for n in (0, 0.99, 1)] == [True, True, False]

    def test_is_written_down_without_the_secret(self, tenant: Tenant, owner: User) -> None:
        made = add_key(tenant, name="job", person=owner, at=NOW)
        (entry,) = AuditEntry.objects.all()
        assert (entry.tenant, entry.actor, entry.at, entry.action) == (tenant, owner, NOW, "key created")
        assert entry.detail == {"name": "job", "key": f"hr_{made.key.prefix}…"}

    def test_refuses_the_name_of_a_key_that_works(self, tenant: Tenant, owner: User) -> None:
        first = add_key(tenant, name="job", person=owner, at=NOW)
        with pytest.raises(NameTaken, match="works already"):
            add_key(tenant, name="job", person=owner, at=NOW)
        revoke_key(first.key, NOW, owner)
        add_key(tenant, name="job", person=owner, at=NOW)

    def test_takes_names_that_other_tenants_use(
        self, tenant: Tenant, owner: User, make_tenant: MakeTenant
    ) -> None:
        create_key(make_tenant("other"), name="job", at=NOW)
        assert add_key(tenant, name="job", person=owner, at=NOW).key.tenant == tenant

    def test_refuses_one_key_too_many_until_one_ends(self, tenant: Tenant, owner: User) -> None:
        keys = [add_key(tenant, name=f"job {n}", person=owner, at=NOW).key for n in range(MOST)]
        with pytest.raises(TooManyKeys, match="50 keys work"):
            add_key(tenant, name="one more", person=owner, at=NOW)
        assert ApiKey.objects.count() == MOST
        revoke_key(keys[0], NOW, owner)
        add_key(tenant, name="one more", person=owner, at=NOW)


class TestRotateKey:
    @pytest.mark.parametrize("overlap", OVERLAPS)
    def test_lets_the_old_key_work_just_as_long_as_chosen(
        self, tenant: Tenant, owner: User, overlap: timedelta
    ) -> None:
        old, old_secret = add_key(tenant, name="job", person=owner, at=NOW - HOUR)
        new, new_secret = rotate_key(old, overlap=overlap, person=owner, at=NOW)
        moment = timedelta(microseconds=1)
        assert works(old_secret, max(NOW, NOW + overlap - moment)) is bool(overlap)
        assert not works(old_secret, NOW + overlap)
        assert works(new_secret, NOW + overlap)
        old.refresh_from_db()
        assert (new.name, new.expires_at, old.replaced_by) == ("job", None, new)

    def test_is_felt_here_at_once_though_the_old_key_was_used_a_moment_ago(
        self, tenant: Tenant, owner: User
    ) -> None:
        old, secret = add_key(tenant, name="job", person=owner, at=NOW)
        assert works(secret, NOW)
        rotate_key(old, overlap=timedelta(0), person=owner, at=NOW)
        assert not works(secret, NOW)

    def test_lets_the_new_key_live_as_long_as_the_old_one_was_to(self, tenant: Tenant, owner: User) -> None:
        old = add_key(tenant, name="job", person=owner, at=NOW, expires_at=NOW + 90 * 24 * HOUR).key
        later = NOW + 80 * 24 * HOUR
        new = rotate_key(old, overlap=HOUR, person=owner, at=later).key
        assert new.expires_at == later + 90 * 24 * HOUR

    def test_never_lengthens_the_old_keys_life(self, tenant: Tenant, owner: User) -> None:
        old, secret = add_key(tenant, name="job", person=owner, at=NOW, expires_at=NOW + HOUR)
        rotate_key(old, overlap=24 * HOUR, person=owner, at=NOW)
        assert not works(secret, NOW + HOUR)

    def test_is_done_once(self, tenant: Tenant, owner: User) -> None:
        old = add_key(tenant, name="job", person=owner, at=NOW).key
        rotate_key(old, overlap=24 * HOUR, person=owner, at=NOW)
        with pytest.raises(NotLive):
            rotate_key(old, overlap=24 * HOUR, person=owner, at=NOW)
        assert ApiKey.objects.count() == 2

    @pytest.mark.parametrize("end", ["revoked", "expired"])
    def test_refuses_a_key_that_has_ended(self, tenant: Tenant, owner: User, end: str) -> None:
        old = add_key(tenant, name="job", person=owner, at=NOW, expires_at=NOW + HOUR).key
        if end == "revoked":
            revoke_key(old, NOW, owner)
        with pytest.raises(NotLive):
            rotate_key(old, overlap=HOUR, person=owner, at=NOW if end == "revoked" else NOW + HOUR)

    def test_can_always_be_done_without_an_overlap(
        self, tenant: Tenant, owner: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keyring, "MOST", 1)
        old = add_key(tenant, name="job", person=owner, at=NOW).key
        with pytest.raises(TooManyKeys):
            rotate_key(old, overlap=HOUR, person=owner, at=NOW)
        rotate_key(old, overlap=timedelta(0), person=owner, at=NOW)

    def test_names_both_keys_in_what_is_written_down(self, tenant: Tenant, owner: User) -> None:
        old = add_key(tenant, name="job", person=owner, at=NOW).key
        new = rotate_key(old, overlap=HOUR, person=owner, at=NOW).key
        entry = AuditEntry.objects.latest("pk")
        assert entry.action == "key rotated"
        assert entry.detail == {"name": "job", "key": old.beginning, "new": new.beginning}


class TestRevokeKey:
    def test_is_written_down_once(self, tenant: Tenant, owner: User) -> None:
        key = create_key(tenant, name="job", at=NOW).key
        assert [revoke_key(key, NOW, owner), revoke_key(key, NOW, owner)] == [True, False]
        (entry,) = AuditEntry.objects.all()
        assert (entry.action, entry.actor) == ("key revoked", owner)

    def test_ends_a_key_that_was_replaced(self, tenant: Tenant, owner: User) -> None:
        old, secret = add_key(tenant, name="job", person=owner, at=NOW)
        rotate_key(old, overlap=24 * HOUR, person=owner, at=NOW)
        revoke_key(old, NOW, owner)
        assert not works(secret, NOW)


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_make_no_more_keys_than_there_may_be(
        self, tenant: Tenant, owner: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keyring, "MOST", 3)
        acts = [partial(add_key, tenant, name=f"job {n}", person=owner, at=NOW) for n in range(8)]
        ends = all_at_once(acts)
        assert sum(isinstance(end, TooManyKeys) for end in ends) == 5
        assert ApiKey.objects.live(NOW).count() == 3

    def test_make_one_new_key_in_place_of_an_old_one(self, tenant: Tenant, owner: User) -> None:
        old = add_key(tenant, name="job", person=owner, at=NOW).key
        ends = all_at_once([lambda: rotate_key(old, overlap=HOUR, person=owner, at=NOW)] * 6)
        assert sum(isinstance(end, NotLive) for end in ends) == 5
        assert ApiKey.objects.count() == 2
