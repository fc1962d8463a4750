"""What members become, and how it ends; whatever happens an owner stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest
from django.test import Client

from tenants.invitations import invite
from tenants.members import LastOwner, NotAllowed, change_role, remove_member
from tenants.models import AuditEntry, Invitation, Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser
from tests.tenants.crowd import all_at_once

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
Role = Membership.Role


def of(user: User, tenant: Tenant) -> Membership:
    return Membership.objects.get(user=user, tenant=tenant)


def role_of(user: User, tenant: Tenant) -> str:
    return of(user, tenant).role


@pytest.fixture
def second(make_user: MakeUser, tenant: Tenant) -> User:
    """Another owner of Northwind."""
    return make_user("oscar@northwind.example", "owner", tenant)


@pytest.fixture
def viewer(make_user: MakeUser, tenant: Tenant) -> User:
    return make_user("vera@northwind.example", "viewer", tenant)


class TestChangeRole:
    @pytest.mark.parametrize("role", list(Role))
    def test_is_what_an_owner_decides_and_is_written_down(
        self, owner: User, viewer: User, tenant: Tenant, role: Membership.Role
    ) -> None:
        change_role(of(viewer, tenant), role, by=owner, at=NOW)
        assert role_of(viewer, tenant) == role
        told = [(one.action, one.actor, one.detail) for one in AuditEntry.objects.all()]
        words = {"who": viewer.email, "role": role.value, "before": "viewer"}
        assert told == ([] if role == Role.VIEWER else [("role changed", owner, words)])

    @pytest.mark.parametrize("role", ["admin", "viewer"])
    def test_is_refused_to_others_also_for_themselves(
        self, make_user: MakeUser, owner: User, tenant: Tenant, role: str
    ) -> None:
        person = make_user("pat@northwind.example", role, tenant)
        for whose in (owner, person):
            with pytest.raises(NotAllowed):
                change_role(of(whose, tenant), Role.OWNER, by=person, at=NOW)
        assert role_of(person, tenant) == role

    def test_is_refused_to_owners_of_other_tenants(
        self, make_tenant: MakeTenant, make_user: MakeUser, owner: User, viewer: User, tenant: Tenant
    ) -> None:
        stranger = make_user("eve@other.example", "owner", make_tenant("other"))
        with pytest.raises(NotAllowed):
            change_role(of(viewer, tenant), Role.OWNER, by=stranger, at=NOW)

    def test_never_takes_the_last_owner(self, owner: User, tenant: Tenant) -> None:
        with pytest.raises(LastOwner, match="needs an owner"):
            change_role(of(owner, tenant), Role.ADMIN, by=owner, at=NOW)
        assert role_of(owner, tenant) == "owner"

    def test_lets_owners_step_back_where_another_stays(
        self, owner: User, second: User, tenant: Tenant
    ) -> None:
        change_role(of(owner, tenant), Role.VIEWER, by=owner, at=NOW)
        assert role_of(owner, tenant) == "viewer"

    def test_does_not_count_an_owner_who_is_switched_off(
        self, owner: User, second: User, tenant: Tenant
    ) -> None:
        User.objects.filter(pk=second.pk).update(is_active=False)
        with pytest.raises(LastOwner):
            change_role(of(owner, tenant), Role.ADMIN, by=owner, at=NOW)
        change_role(of(second, tenant), Role.ADMIN, by=owner, at=NOW)

    def test_withdraws_invitations_that_they_could_no_longer_send(
        self, owner: User, second: User, tenant: Tenant
    ) -> None:
        for name, role in (("a", Role.OWNER), ("b", Role.ADMIN), ("c", Role.VIEWER)):
            invite(tenant, email=f"{name}@x.example", role=role, by=second, at=NOW)
        assert change_role(of(second, tenant), Role.ADMIN, by=owner, at=NOW) == 1
        assert set(Invitation.objects.pending().values_list("role", flat=True)) == {"admin", "viewer"}
        assert change_role(of(second, tenant), Role.VIEWER, by=owner, at=NOW) == 2
        assert not Invitation.objects.pending().exists()


class TestRemoveMember:
    def test_ends_access_at_the_next_request(
        self, client_for: Callable[[User], Client], owner: User, viewer: User, tenant: Tenant
    ) -> None:
        browser = client_for(viewer)
        assert browser.get("/t/northwind/keys/").status_code == 200
        remove_member(of(viewer, tenant), by=owner, at=NOW)
        assert browser.get("/t/northwind/keys/").status_code == 404
        (entry,) = AuditEntry.objects.all()
        assert (entry.action, entry.detail) == ("member removed", {"who": viewer.email})

    def test_by_oneself_is_leaving(self, owner: User, viewer: User, tenant: Tenant) -> None:
        remove_member(of(viewer, tenant), by=viewer, at=NOW)
        assert [one.action for one in AuditEntry.objects.all()] == ["member left"]

    def test_is_refused_to_admins(
        self, make_user: MakeUser, owner: User, viewer: User, tenant: Tenant
    ) -> None:
        admin = make_user("amir@northwind.example", "admin", tenant)
        with pytest.raises(NotAllowed):
            remove_member(of(viewer, tenant), by=admin, at=NOW)

    def test_never_takes_the_last_owner(self, owner: User, viewer: User, tenant: Tenant) -> None:
        with pytest.raises(LastOwner):
            remove_member(of(owner, tenant), by=owner, at=NOW)

    def test_lets_others_leave_a_tenant_that_has_no_owner(self, viewer: User, tenant: Tenant) -> None:
        remove_member(of(viewer, tenant), by=viewer, at=NOW)
        assert not Membership.objects.exists()

    def test_withdraws_what_would_let_them_come_back(
        self, make_user: MakeUser, owner: User, tenant: Tenant
    ) -> None:
        admin = make_user("amir@northwind.example", "admin", tenant)
        invite(tenant, email="amir@private.example", role=Role.ADMIN, by=admin, at=NOW)
        invite(tenant, email="zoe@x.example", role=Role.VIEWER, by=owner, at=NOW)
        Invitation.objects.create(
            tenant=tenant, email=admin.email, role=Role.ADMIN, invited_by=owner, expires_at=NOW
        )
        assert remove_member(of(admin, tenant), by=owner, at=NOW) == 2
        assert [one.email for one in Invitation.objects.pending()] == ["zoe@x.example"]


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_owners_who_demote_each_other_leave_one(self, owner: User, second: User, tenant: Tenant) -> None:
        for _round in range(5):
            Membership.objects.update(role="owner")
            acts = [
                lambda: change_role(of(second, tenant), Role.VIEWER, by=owner, at=NOW),
                lambda: change_role(of(owner, tenant), Role.VIEWER, by=second, at=NOW),
            ]
            ends = all_at_once(acts)
            assert sorted(type(end).__name__ for end in ends) == ["NotAllowed", "int"]
            assert Membership.objects.filter(role="owner").count() == 1

    def test_owners_who_leave_together_leave_one(
        self, make_user: MakeUser, owner: User, second: User, tenant: Tenant
    ) -> None:
        owners = [owner, second, make_user("olga@northwind.example", "owner", tenant)]
        ends = all_at_once([partial(remove_member, of(who, tenant), by=who, at=NOW) for who in owners])
        assert sorted(type(end).__name__ for end in ends) == ["LastOwner", "int", "int"]
        assert Membership.objects.get().role == "owner"
