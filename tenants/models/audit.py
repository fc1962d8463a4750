"""Who did what to a tenant's people, keys and name."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import User
from tenants.models.tenants import Tenant


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

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="audit_entries", db_index=False)
    actor = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()
    # Without choices: what else is recorded, later or by a floor above, needs no migration.
    action = models.CharField(max_length=32)
    detail = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = _("audit entries")
        indexes = [models.Index(fields=["tenant", "-at", "-id"], name="audit_newest_first")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action}"

    @property
    def is_of_key(self) -> bool:
        """Whether a key was made, replaced or revoked."""
        return self.action.startswith("key ")
