"""API keys: what opens, what doesn't, and how little PostgreSQL is asked."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from pytest_django import DjangoAssertNumQueries

from tenants import keys
from tenants.keys import KeyRefused, create_key, find_key, forget_keys, note_use, revoke_key
from tenants.models import ApiKey, Tenant, User

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(**time: float) -> datetime:
    return NOW + timedelta(**time)


class TestCreateKey:
    def test_keeps_the_digest_and_not_the_secret(self, tenant: Tenant, owner: User) -> None:
        key, secret = create_key(tenant, name="billing job", at=NOW, created_by=owner)
        row = ApiKey.objects.values().get(pk=key.pk)
        assert secret.startswith(f"hr_{key.prefix}_")
        assert row["digest"] == hashlib.sha256(secret.encode()).hexdigest()
        assert secret.rpartition("_")[2] not in str(row)
        assert (row["created_at"], row["created_by_id"], row["scope"]) == (NOW, owner.pk, "tenant")

    def test_secrets_have_256_bits_and_never_repeat(self, tenant: Tenant) -> None:
        secrets = {create_key(tenant, name="job", at=NOW).secret for _ in range(20)}
        assert len(secrets) == 20
        assert all(len(secret.split("_", 2)[2]) == 43 for secret in secrets)

    def test_makes_a_service_key_without_a_tenant(self, db: None) -> None:
        key, secret = create_key(None, name="gateway", at=NOW)
        assert key.scope == ApiKey.Scope.SERVICE
        assert find_key(secret, NOW).tenant is None


class TestFindKey:
    def test_finds_key_and_tenant_by_one_query_then_by_none_for_5_seconds(
        self, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key, secret = create_key(tenant, name="job", at=NOW)
        with django_assert_num_queries(1):
            found = [find_key(secret, after(seconds=s)) for s in (0, 1, 4.9)]
            assert [(k.pk, k.tenant and k.tenant.slug) for k in found] == [(key.pk, "northwind")] * 3
        with django_assert_num_queries(1):
            find_key(secret, after(seconds=5))

    @pytest.mark.parametrize(
        "secret", ["hr_", "hr_abc_def", "hr_0123456789ab_", "hr_0123456789AB_" + "x" * 43, "x" * 5000, "hr_é"]
    )
    def test_refuses_what_has_not_the_form_of_a_key_without_a_query(
        self, secret: str, db: None, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(0), pytest.raises(KeyRefused, match="not the form"):
            find_key(secret, NOW)

    def test_refuses_a_wrong_secret_behind_a_right_prefix(self, tenant: Tenant) -> None:
        secret = create_key(tenant, name="job", at=NOW).secret
        last = "A" if secret[-1] != "A" else "E"
        with pytest.raises(KeyRefused, match="no such key"):
            find_key(secret[:-1] + last, NOW)
        assert find_key(secret, NOW).tenant == tenant

    def test_compares_digests_in_constant_time(self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        key, secret = create_key(tenant, name="job", at=NOW)
        in_constant_time, compared = hmac.compare_digest, []

        def compare(a: str, b: str) -> bool:
            compared.append((a, b))
            return in_constant_time(a, b)

        monkeypatch.setattr(hmac, "compare_digest", compare)
        find_key(secret, NOW)
        assert compared == [(key.digest, key.digest)]

    def test_refuses_from_the_moment_of_expiry_on(self, tenant: Tenant) -> None:
        secret = create_key(tenant, name="job", at=NOW, expires_at=after(seconds=3)).secret
        assert find_key(secret, after(seconds=2.9))
        with pytest.raises(KeyRefused, match="expired"):
            find_key(secret, after(seconds=3))

    def test_refuses_keys_of_closed_tenants_and_opens_for_suspended_ones(self, tenant: Tenant) -> None:
        secret = create_key(tenant, name="job", at=NOW).secret
        Tenant.objects.update(status=Tenant.Status.SUSPENDED)
        suspended = find_key(secret, NOW).tenant
        assert suspended is not None
        assert suspended.status == "suspended"
        Tenant.objects.update(status=Tenant.Status.CLOSED)
        with pytest.raises(KeyRefused, match="closed"):
            find_key(secret, after(seconds=5))

    def test_goes_on_for_ten_minutes_without_postgresql(
        self, make_key: Callable[[], str], postgres_away: Callable[[], AbstractContextManager[None]]
    ) -> None:
        known, unknown = make_key(), make_key()
        find_key(known, NOW)
        with postgres_away():
            assert find_key(known, after(seconds=30)).tenant
            assert find_key(known, after(minutes=9, seconds=59)).tenant
            with pytest.raises(OperationalError):
                find_key(unknown, after(seconds=30))
            with pytest.raises(OperationalError):
                find_key(known, after(minutes=10))
        assert find_key(unknown, after(minutes=10, seconds=2)).tenant


class TestRevokeKey:
    def test_acts_at_once_in_the_process_that_revokes(self, tenant: Tenant, owner: User) -> None:
        key, secret = create_key(tenant, name="job", at=NOW)
        find_key(secret, NOW)
        revoke_key(key, after(seconds=1), owner)
        with pytest.raises(KeyRefused, match="revoked"):
            find_key(secret, after(seconds=1))
        key.refresh_from_db()
        assert (key.revoked_at, key.revoked_by) == (after(seconds=1), owner)

    def test_is_felt_within_5_seconds_elsewhere(self, tenant: Tenant) -> None:
        key, secret = create_key(tenant, name="job", at=NOW)
        find_key(secret, NOW)
        # As another process does it: this one hears nothing.
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=after(seconds=1))
        assert find_key(secret, after(seconds=4.9))
        with pytest.raises(KeyRefused, match="revoked"):
            find_key(secret, after(seconds=5))

    def test_keeps_the_first_revocation(self, tenant: Tenant) -> None:
        key = create_key(tenant, name="job", at=NOW).key
        revoke_key(key, NOW, None)
        revoke_key(key, after(hours=1), None)
        assert key.revoked_at == NOW


class TestNoteUse:
    def last_use(self, key: ApiKey) -> datetime | None:
        return ApiKey.objects.values_list("last_used_at", flat=True).get(pk=key.pk)

    def test_writes_at_most_once_a_minute(
        self, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = create_key(tenant, name="job", at=NOW).key
        with django_assert_num_queries(1):
            for second in range(60):
                note_use(key, after(seconds=second))
        assert self.last_use(key) == NOW
        note_use(key, after(seconds=60))
        assert self.last_use(key) == after(seconds=60)

    def test_leaves_it_when_another_process_wrote_within_the_minute(self, tenant: Tenant) -> None:
        key = create_key(tenant, name="job", at=NOW).key
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=after(seconds=30))
        note_use(key, after(seconds=31))
        assert self.last_use(key) == after(seconds=30)

    def test_asks_nothing_when_the_row_read_was_noted_a_moment_ago(
        self, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        key = create_key(tenant, name="job", at=NOW).key
        note_use(key, NOW)
        forget_keys()
        key.refresh_from_db()
        with django_assert_num_queries(0):
            note_use(key, after(seconds=59))

    def test_remembers_no_more_keys_than_it_may(
        self, monkeypatch: pytest.MonkeyPatch, tenant: Tenant
    ) -> None:
        monkeypatch.setattr(keys, "KEPT", 3)
        for _ in range(8):
            note_use(create_key(tenant, name="job", at=NOW).key, NOW)
            assert len(keys._noted) <= 3
