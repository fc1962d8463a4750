"""What is written down of who did what: said in sentences, and never changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction
from django.utils.translation import override

from tenants.audit import Action, record, sentence
from tenants.models import AuditEntry, Tenant, User

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WORDS = {
    Action.KEY_CREATED: {"name": "job", "key": "hr_1…"},
    Action.KEY_ROTATED: {"name": "job", "key": "hr_1…", "new": "hr_2…"},
    Action.KEY_REVOKED: {"name": "job", "key": "hr_1…"},
    Action.INVITED: {"who": "z@x.example", "role": "viewer"},
    Action.INVITED_AGAIN: {"who": "z@x.example", "role": "viewer"},
    Action.WITHDRAWN: {"who": "z@x.example", "role": "viewer"},
    Action.JOINED: {"who": "z@x.example", "role": "viewer"},
    Action.ROLE_CHANGED: {"who": "z@x.example", "role": "owner", "before": "viewer"},
    Action.REMOVED: {"who": "z@x.example"},
    Action.LEFT: {"who": "z@x.example"},
    Action.RENAMED: {"name": "New 100 %", "was": "Old"},
    Action.VIEWED: {"page": "/t/acme/"},
    Action.ENTITLED: {"reason": "api calls +500"},
    Action.ENTITLED_MANY: {"reason": "plan pro", "count": "2,000"},
    Action.ADDED: {"kind": "override", "name": "acme +500"},
    Action.CHANGED: {"kind": "tenant", "name": "acme", "how": "now suspended."},
    Action.DELETED: {"kind": "override", "name": "acme +500"},
}


def entry(tenant: Tenant, owner: User, action: Action) -> AuditEntry:
    record(tenant, action, actor=owner, at=NOW, **WORDS[action])
    return AuditEntry.objects.latest("pk")


class TestSentence:
    @pytest.mark.parametrize("action", list(Action))
    def test_says_every_action_with_all_its_words(self, tenant: Tenant, owner: User, action: Action) -> None:
        text = sentence(entry(tenant, owner, action))
        assert "%(" not in text
        for word in WORDS[action].values():
            assert word in text.lower() or word in text

    def test_names_roles_as_the_reader_does(self, tenant: Tenant, owner: User) -> None:
        made = entry(tenant, owner, Action.ROLE_CHANGED)
        with override("en"):
            assert sentence(made) == "z@x.example is now Owner, was Viewer"

    def test_leaves_a_name_alone_that_is_called_like_a_role(self, tenant: Tenant, owner: User) -> None:
        record(tenant, Action.RENAMED, actor=owner, at=NOW, name="viewer", was="owner")
        assert sentence(AuditEntry.objects.get()) == "The organisation is now called viewer, was owner"


class TestEntry:
    @pytest.mark.parametrize(
        "change", [{"detail": {}}, {"at": NOW.replace(year=2025)}, {"action": "member left"}]
    )
    def test_is_never_changed(self, tenant: Tenant, owner: User, change: dict[str, object]) -> None:
        made = entry(tenant, owner, Action.INVITED)
        with pytest.raises(IntegrityError, match="is never changed"), transaction.atomic():
            AuditEntry.objects.filter(pk=made.pk).update(**change)

    def test_never_names_somebody_else(self, tenant: Tenant, owner: User, staff: User) -> None:
        made = entry(tenant, owner, Action.INVITED)
        with pytest.raises(IntegrityError), transaction.atomic():
            AuditEntry.objects.filter(pk=made.pk).update(actor=staff)

    def test_outlives_the_account_of_who_did_it(self, tenant: Tenant, owner: User) -> None:
        made = entry(tenant, owner, Action.INVITED)
        owner.delete()
        made.refresh_from_db()
        assert made.actor is None

    def test_of_no_tenant_outlives_the_account_too(self, owner: User) -> None:
        record(None, Action.ENTITLED_MANY, actor=owner, at=NOW, reason="x", count="2,000")
        owner.delete()
        assert AuditEntry.objects.get().actor is None
