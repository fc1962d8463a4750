"""Invitations: how people come to belong to a tenant."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone

from tenants.models.memberships import Membership
from tenants.models.people import User
from tenants.models.tenants import Tenant


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def pending(self) -> InvitationQuerySet:
        """Neither accepted nor withdrawn; they may have expired."""
        return self.filter(accepted_at=None, withdrawn_at=None)

    def to_mail(self, at: datetime) -> InvitationQuerySet:
        """Pending ones whose mail is due at `at`, those that wait longest first."""
        return self.pending().filter(mail_due_at__lte=at, expires_at__gt=at).order_by("mail_due_at", "pk")


class Invitation(models.Model):
    """Asks the person behind an address to join a tenant in a role; the link in its mail is good once.

    Sending it again raises `serial`, and only the link with the last one opens it.
    """

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=6, choices=Membership.Role)
    serial = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    invited_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    # When the mail is to be sent, or sent again after a failure; none where nothing is to be sent.
    mail_due_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    mail_problem = models.CharField(max_length=200)  # why the mail server will never take it
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(accepted_at=None, withdrawn_at=None),
                name="one_pending_invitation",
            ),
        ]
        indexes = [
            models.Index(
                fields=["mail_due_at"],
                condition=models.Q(mail_due_at__isnull=False),
                name="invitations_to_mail",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email}, {self.get_role_display()} of {self.tenant}"

    @property
    def is_pending(self) -> bool:
        return self.accepted_at is None and self.withdrawn_at is None
