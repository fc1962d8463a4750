"""Who they are: tenants, the people who belong to them, and the keys their programs use."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.words import beginning, words

ID = re.compile(r"[0-9]{1,18}")


class UserManager(BaseUserManager["User"]):
    """People are found by e-mail, whatever its upper and lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A person who may sign in; without a password only a reset link lets them in."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A member of the operations team who may do everything in the admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractUser):
    """A person; staff are the operations team, everyone else sees the tenants they are members of."""

    username = None  # type: ignore[assignment]  # people sign in by e-mail
    email = models.EmailField(_("e-mail"), unique=True)

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # narrower than AbstractUser's

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()

    @property
    def initials(self) -> str:
        """One or two letters for the face in the page's corner."""
        names = self.get_full_name().split() or [self.email]
        return "".join(name[0] for name in names[:2]).upper()


class TenantQuerySet(models.QuerySet["Tenant"]):
    def of(self, user: User) -> TenantQuerySet:
        """Tenants `user` is a member of; closed ones are gone from sight."""
        return self.open().filter(memberships__user=user)

    def open(self) -> TenantQuerySet:
        """Tenants that still exist for anybody but the operations team."""
        return self.exclude(status=Tenant.Status.CLOSED)

    def matching(self, text: str) -> TenantQuerySet:
        """Tenants with this id, or in whose name or slug each word of `text` begins a word."""
        found = beginning(text)
        if found is None:
            return self.none()
        is_id = models.Q(pk=int(text)) if ID.fullmatch(text.strip()) else models.Q()
        return self.alias(words=words()).filter(models.Q(words=found) | is_id)


class Tenant(models.Model):
    """A customer organisation. Keys and rows carry its immutable id, addresses its slug."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        CLOSED = "closed", _("Closed")

    slug = models.SlugField(max_length=63, unique=True, help_text=_("Stands in addresses, e.g. northwind."))
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=9, choices=Status, default=Status.ACTIVE)
    anchor_day = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(28)],
        help_text=_(
            "Day of the month, 1 to 28, on which a period begins (UTC). A change acts from the next period."
        ),
    )
    # A changed anchor acts from the end of the period it was changed in; until then the one before counts.
    anchor_before = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    anchor_since = models.DateField(null=True, blank=True, editable=False)
    # Earlier changes, oldest first, as [until, day]; so that past periods keep the days they had.
    anchor_past = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(anchor_day__range=(1, 28)), name="tenant_anchor_day"),
        ]
        indexes = [GinIndex(words(), name="tenant_words")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def is_closed(self) -> bool:
        return self.status == self.Status.CLOSED

    @property
    def initial(self) -> str:
        return self.name[:1].upper()


class MembershipQuerySet(models.QuerySet["Membership"]):
    def open_to(self, user: User) -> MembershipQuerySet:
        """Where `user` belongs, with the tenants; closed ones are gone from sight."""
        return self.filter(user=user).exclude(tenant__status=Tenant.Status.CLOSED).select_related("tenant")


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


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self, at: datetime) -> ApiKeyQuerySet:
        """Keys that open something at `at`: neither revoked nor expired."""
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=at),
            models.Q(revoked_at=None) | models.Q(revoked_at__gt=at),
        )

    def unused_since(self, at: datetime) -> ApiKeyQuerySet:
        """Keys whose last use, as far as it is written down, was at `at` or before."""
        return self.filter(models.Q(last_used_at=None) | models.Q(last_used_at__lte=at))


class ApiKey(models.Model):
    """A program's key, kept as the SHA-256 of its secret; the secret itself is shown once, when it is made.

    A tenant key acts for its tenant; a service key acts for the tenant that `X-Tenant-ID` names.
    """

    class Scope(models.TextChoices):
        TENANT = "tenant", _("Tenant")
        SERVICE = "service", _("Service")

    # Only on a key that was made a moment ago, to be shown once.
    secret: str = ""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="api_keys", null=True, blank=True)
    scope = models.CharField(max_length=7, choices=Scope, default=Scope.TENANT)
    name = models.CharField(max_length=80, help_text=_("What uses it, e.g. “billing job”."))
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scope="tenant", tenant__isnull=False)
                | models.Q(scope="service", tenant__isnull=True),
                name="service_keys_belong_to_no_tenant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (hr_{self.prefix}…)"
