"""Who did what to tenants: to their people, keys and names, what operations changed and looked at."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import User
from tenants.models.tenants import Tenant


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def of_its_people(self) -> AuditEntryQuerySet:
        """What was done to the tenant's members, keys and name: no looks, and nothing that is told elsewhere."""
        return self.exclude(action__in=AuditEntry.OF_OPERATIONS)

    def views(self, tenant: Tenant, person: User, page: str, since: datetime) -> AuditEntryQuerySet:
        """That `person` opened this page of the tenant as staff after `since`."""
        looks = self.filter(tenant=tenant, actor=person, action=AuditEntry.Action.VIEWED)
        return looks.filter(at__gt=since, detail__page=page)


class AuditEntry(models.Model):
    """One act that was done; `detail` holds the words of its sentence: names, addresses, roles, never a secret."""

    class Action(models.TextChoices):
        """What was done, and the sentence that says so."""

        KEY_CREATED = "key created", _("API key “%(name)s” (%(key)s) was created")
        KEY_ROTATED = "key rotated", _("API key “%(name)s” (%(key)s) was replaced by %(new)s")
        KEY_REVOKED = "key revoked", _("API key “%(name)s” (%(key)s) was revoked")
        INVITED = "member invited", _("%(who)s was invited as %(role)s")
        INVITED_AGAIN = "member invited again", _("The invitation of %(who)s as %(role)s was sent again")
        WITHDRAWN = "invitation withdrawn", _("The invitation of %(who)s as %(role)s was withdrawn")
        JOINED = "member joined", _("%(who)s joined as %(role)s")
        ROLE_CHANGED = "role changed", _("%(who)s is now %(role)s, was %(before)s")
        REMOVED = "member removed", _("%(who)s was removed")
        LEFT = "member left", _("%(who)s left")
        RENAMED = "name changed", _("The organisation is now called %(name)s, was %(was)s")

        VIEWED = "viewed as staff", _("%(page)s was opened as staff")
        ENTITLED = "limits changed", _("What it may use was changed: %(reason)s")
        ENTITLED_MANY = "limits of many changed", _("What %(count)s tenants may use was changed: %(reason)s")
        ADDED = "added in the admin", _("%(kind)s “%(name)s” was added in the admin")
        CHANGED = "changed in the admin", _("%(kind)s “%(name)s” was changed in the admin: %(how)s")
        DELETED = "deleted in the admin", _("%(kind)s “%(name)s” was deleted in the admin")

    # What is of no news to the tenant's own people, or is told to them by what it did.
    OF_OPERATIONS = (
        Action.VIEWED,
        Action.ENTITLED,
        Action.ENTITLED_MANY,
        Action.ADDED,
        Action.CHANGED,
        Action.DELETED,
    )

    # None where it concerned no tenant, or too many to name.
    tenant = models.ForeignKey(
        Tenant, models.CASCADE, related_name="audit_entries", null=True, db_index=False
    )
    actor = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", db_index=False)
    at = models.DateTimeField()
    # Without choices: what else is recorded, later or by a floor above, needs no migration.
    action = models.CharField(max_length=32)
    detail = models.JSONField(default=dict)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["tenant", "-at", "-id"], name="audit_newest_first"),
            models.Index(fields=["-at", "-id"], name="audit_of_all"),
            models.Index(fields=["actor", "-at", "-id"], name="audit_of_person"),
            models.Index(fields=["action", "-at", "-id"], name="audit_of_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action}"

    @property
    def is_of_key(self) -> bool:
        """Whether a key was made, replaced or revoked."""
        return self.action.startswith("key ")
