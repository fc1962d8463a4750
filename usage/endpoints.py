"""Where and to whom a tenant's alerts go: Slack channels, webhooks, who gets mail, what is not to be told."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant
from usage.alerts.vault import unseal


class Endpoint(models.Model):
    """A Slack channel or a webhook of a tenant; without a tenant the Slack channel of operations.

    `url` and secrets are sealed: see `usage.alerts.vault`. The address of operations' own stands in the settings.
    `taken_until` is the lease of who sends to it: one message at a time, so that a slow one costs others nothing.
    `is_slow`: it took its last message, but took its time. `rests_until` is when it is tried again after a failure.
    """

    class Kind(models.TextChoices):
        SLACK = "slack", _("Slack")
        WEBHOOK = "webhook", _("Webhook")

    class State(models.TextChoices):
        WORKING = "working", _("Working")
        FAILING = "failing", _("Failing")
        DISABLED = "disabled", _("Disabled")

    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, related_name="endpoints")
    kind = models.CharField(max_length=7, choices=Kind)
    label = models.CharField(max_length=80, help_text=_("What logs call it: a name, or its host."))
    sealed_url = models.TextField(blank=True)
    sealed_secret = models.TextField(blank=True)
    sealed_old_secret = models.TextField(blank=True)
    old_secret_until = models.DateTimeField(null=True)
    state = models.CharField(max_length=8, choices=State, default=State.WORKING)
    reason = models.CharField(max_length=300, blank=True)
    is_slow = models.BooleanField(default=False)
    since = models.DateTimeField()
    taken_until = models.DateTimeField(null=True)
    rests_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=models.Q(tenant=None), name="one_endpoint_of_operations"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.label}"

    @property
    def url(self) -> str:
        """Where it is; a secret where it is Slack's. Raises Shut."""
        return unseal(self.sealed_url) if self.tenant_id else str(settings.HEADROOM_OPS_SLACK_URL)

    def secrets(self, at: datetime) -> list[str]:
        """What to sign with, the new secret first; the one before counts a day longer. Raises Shut."""
        is_rotating = self.old_secret_until is not None and at < self.old_secret_until
        sealed = [self.sealed_secret, *([self.sealed_old_secret] if is_rotating else [])]
        return [unseal(one) for one in sealed if one]

    @property
    def is_disabled(self) -> bool:
        return self.state == self.State.DISABLED


class MailChoice(models.Model):
    """That a person wants a tenant's alerts by mail, or doesn't; without one owners get them and others don't."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    is_wanted = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="one_mail_choice_per_person")]

    def __str__(self) -> str:
        return f"{self.user}, {self.tenant}: {'mail' if self.is_wanted else 'no mail'}"


class AlertChoice(models.Model):
    """What a tenant does not want to be told, and until when operations have silenced its alerts."""

    tenant = models.OneToOneField(Tenant, models.CASCADE, primary_key=True, related_name="alert_choice")
    tells_refusals = models.BooleanField(_("first refusal"), default=True)
    tells_billing = models.BooleanField(_("billing begins"), default=True)
    paused_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_(
            "Until then nobody is told of this tenant's alerts; what is crossed meanwhile is only listed."
        ),
    )
    pause_reason = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.tenant}: alerts"

    def is_paused(self, at: datetime) -> bool:
        return self.paused_until is not None and at < self.paused_until
