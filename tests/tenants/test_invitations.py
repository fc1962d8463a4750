"""Inviting people: who is refused, which link is good, and what is written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from django.conf import settings as django_settings
from django.core.signing import Signer
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings
from redis import Redis

from tenants import invitations
from tenants.invitation_links import Unusable, link_of, opened, token_of
from tenants.invitations import LIFE, NotInvited, grantable, invite, invite_again, withdraw
from tenants.models import AuditEntry, Invitation, Membership, Tenant, User
from tests.conftest import MakeTenant
from tests.tenants.crowd import all_at_once

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
Role = Membership.Role


def ask(
    tenant: Tenant, by: User, email: str = "zoe@x.example", role: Membership.Role = Role.VIEWER
) -> Invitation:
    return invite(tenant, email=email, role=role, by=by, at=NOW)


class TestGrantable:
    def test_are_the_roles_up_to_ones_own_for_who_may_invite(self) -> None:
        assert [set(grantable(role)) for role in ("owner", "admin", "viewer")] == [
            set(Role),
            {Role.ADMIN, Role.VIEWER},
            set(),
        ]


class TestInvite:
    def test_keeps_whom_as_what_and_how_long(self, tenant: Tenant, owner: User) -> None:
        made = ask(tenant, owner, " Zoe@X.example ", Role.ADMIN)
        made.refresh_from_db()
        assert (made.email, made.role, made.invited_by) == ("zoe@x.example", "admin", owner)
        assert (made.expires_at, made.mail_due_at) == (NOW + timedelta(days=7), NOW)
        (entry,) = AuditEntry.objects.all()
        assert (entry.action, entry.actor) == ("member invited", owner)
        assert entry.detail == {"who": "zoe@x.example", "role": "admin"}

    def test_refuses_who_belongs_to_the_tenant(self, tenant: Tenant, owner: User) -> None:
        with pytest.raises(NotInvited, match="belongs to the organisation already"):
            ask(tenant, owner, owner.email.upper())

    def test_refuses_who_is_invited_already(self, tenant: Tenant, owner: User) -> None:
        ask(tenant, owner)
        with pytest.raises(NotInvited, match="is invited already"):
            ask(tenant, owner, "ZOE@x.example")

    def test_takes_the_place_of_one_that_has_expired(self, tenant: Tenant, owner: User) -> None:
        old = ask(tenant, owner)
        new = invite(tenant, email=old.email, role=Role.ADMIN, by=owner, at=NOW + LIFE)
        assert list(Invitation.objects.pending()) == [new]

    def test_refuses_one_too_many(
        self, tenant: Tenant, owner: User, monkeypatch: pytest.MonkeyPatch, make_tenant: MakeTenant
    ) -> None:
        monkeypatch.setattr(invitations, "MOST", 2)
        made = [ask(tenant, owner, f"{n}@x.example") for n in range(2)]
        with pytest.raises(NotInvited, match="withdraw one first"):
            ask(tenant, owner)
        ask(make_tenant("other"), owner)
        withdraw(made[0], by=owner, at=NOW)
        ask(tenant, owner)

    def test_rings_for_its_mail(
        self,
        tenant: Tenant,
        owner: User,
        redis_db: Redis,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            ask(tenant, owner)
        with Redis.from_url(django_settings.CELERY_BROKER_URL) as broker:
            assert broker.llen(current_app.conf.task_default_queue) == 1

    @pytest.mark.django_db(transaction=True)
    def test_by_many_at_once_is_done_once(self, tenant: Tenant, owner: User, redis_db: Redis) -> None:
        ends = all_at_once([lambda: ask(tenant, owner)] * 6)
        assert sum(isinstance(end, NotInvited) for end in ends) == 5
        assert Invitation.objects.count() == 1


class TestLink:
    def test_opens_its_invitation_and_is_an_address_of_our_own(
        self, tenant: Tenant, owner: User, settings: Settings
    ) -> None:
        settings.BASE_URL = "https://headroom.example"
        made = ask(tenant, owner)
        assert link_of(made) == f"https://headroom.example/join/{token_of(made)}/"
        assert opened(token_of(made), NOW) == made

    def test_ends_after_seven_days(self, tenant: Tenant, owner: User) -> None:
        made = ask(tenant, owner)
        moment = timedelta(microseconds=1)
        assert opened(token_of(made), NOW + LIFE - moment) == made
        with pytest.raises(Unusable, match="has expired"):
            opened(token_of(made), NOW + LIFE)

    def test_that_was_changed_anywhere_opens_nothing(self, tenant: Tenant, owner: User) -> None:
        token = token_of(ask(tenant, owner))
        for place in range(len(token)):
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            with pytest.raises(Unusable) as refusal:
                opened(changed, NOW)
            assert not refusal.value.is_ours

    @pytest.mark.parametrize("token", ["", "x", "a:b", "WzEsMV0:", "é:é", "\0"])
    def test_that_was_made_up_opens_nothing(self, db: None, token: str) -> None:
        with pytest.raises(Unusable, match="no link of ours"):
            opened(token, NOW)

    def test_that_was_signed_for_something_else_opens_nothing(self, tenant: Tenant, owner: User) -> None:
        made = ask(tenant, owner)
        for salt in ("usage.inbox", "usage.alerts.unsubscribe"):
            with pytest.raises(Unusable, match="no link of ours"):
                opened(Signer(salt=salt).sign_object([made.pk, made.serial]), NOW)

    def test_opens_nothing_once_withdrawn(self, tenant: Tenant, owner: User) -> None:
        made = ask(tenant, owner)
        assert [withdraw(made, by=owner, at=NOW), withdraw(made, by=owner, at=NOW)] == [True, False]
        with pytest.raises(Unusable, match="was withdrawn"):
            opened(token_of(made), NOW)
        assert [one.action for one in AuditEntry.objects.order_by("pk")][1:] == ["invitation withdrawn"]

    def test_opens_nothing_where_the_tenant_is_closed(self, tenant: Tenant, owner: User) -> None:
        made = ask(tenant, owner)
        Tenant.objects.update(status=Tenant.Status.CLOSED)
        with pytest.raises(Unusable):
            opened(token_of(made), NOW)


class TestInviteAgain:
    def test_mails_a_new_link_that_alone_is_good_for_seven_days_from_then(
        self, tenant: Tenant, owner: User
    ) -> None:
        made, later = ask(tenant, owner), NOW + 2 * LIFE
        old = token_of(made)
        Invitation.objects.update(mailed_at=NOW, mail_due_at=None, mail_problem="550 no")
        assert invite_again(made, by=owner, at=later)
        made.refresh_from_db()
        assert (made.mail_due_at, made.mailed_at, made.mail_problem) == (later, None, "")
        assert opened(token_of(made), later + LIFE - timedelta(seconds=1)) == made
        with pytest.raises(Unusable, match="newer mail"):
            opened(old, later)

    def test_wakes_nothing_that_is_over(self, tenant: Tenant, owner: User) -> None:
        made = ask(tenant, owner)
        withdraw(made, by=owner, at=NOW)
        assert not invite_again(made, by=owner, at=NOW)
