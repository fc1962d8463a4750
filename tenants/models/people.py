"""People: they sign in by e-mail; the operations team are those who are staff."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from tenants.words import beginning, words_of_person
from tenants.zones import validate_zone


class UserQuerySet(models.QuerySet["User"]):
    def matching(self, text: str) -> UserQuerySet:
        """People in whose address or names each word of `text` begins a word."""
        found = beginning(text)
        return self.none() if found is None else self.alias(words=words_of_person()).filter(words=found)


class UserManager(BaseUserManager["User"]):
    """People are found by e-mail, whatever its upper and lower case."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def matching(self, text: str) -> UserQuerySet:
        """People in whose address or names each word of `text` begins a word."""
        return self.get_queryset().matching(text)

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
    time_zone = models.CharField(
        max_length=64,
        blank=True,
        help_text=_("In which times are shown, e.g. Europe/Berlin; empty = the organisation's."),
    )

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # narrower than AbstractUser's

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]
        indexes = [GinIndex(words_of_person(), name="user_words")]

    def __str__(self) -> str:
        return self.get_full_name() or self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()
        if self.time_zone:
            validate_zone(self.time_zone)

    @property
    def initials(self) -> str:
        """One or two letters for the face in the page's corner."""
        names = self.get_full_name().split() or [self.email]
        return "".join(name[0] for name in names[:2]).upper()
