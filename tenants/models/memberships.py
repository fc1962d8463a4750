"""Who belongs to which tenant, and as what."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models.people import User
from tenants.models.tenants import Tenant


class MembershipQuerySet(models.QuerySet["Membership"]):
    def open_to(self, user: User) -> MembershipQuerySet:
        """Where `user` belongs, with the tenants; closed ones are gone from sight."""
        return self.filter(user=user).exclude(tenant__status=Tenant.Status.CLOSED).select_related("tenant")

    def owners(self) -> MembershipQuerySet:
        """Owners who can sign in: one who is switched off can decide nothing."""
        return self.filter(role=Membership.Role.OWNER, user__is_active=True)


class Membership(models.Model):
    """What one person may do in one tenant: owners decide, admins manage, viewers look and see no money."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        ADMIN = "admin", _("Admin")
        VIEWER = "viewer", _("Viewer")

        @property
        def rank(self) -> int:
            """Who outranks another may do all that the other may."""
            return ("viewer", "admin", "owner").index(self.value)

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="one_membership_per_tenant")]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_role_display()} of {self.tenant}"

    @property
    def sees_money(self) -> bool:
        return self.role != self.Role.VIEWER

    def reaches(self, minimum: Role) -> bool:
        """Whether this role may do what `minimum` may."""
        return self.Role(self.role).rank >= minimum.rank
