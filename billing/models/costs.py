"""What providers bill us: a bill per provider and month in versions, its rows, and files that wait for a yes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connections, models
from django.utils.translation import gettext_lazy as _

# What bills have as their source that are of no file.
TYPED_IN = "typed in"
WITHDRAWN = "withdrawn"


class CostBillQuerySet(models.QuerySet["CostBill"]):
    def current(self) -> CostBillQuerySet:
        """The bills that count: of each provider and month the last version."""
        return self.filter(is_current=True)

    def of(self, provider: str, month: date) -> CostBillQuerySet:
        """All versions of a provider's month."""
        return self.filter(provider=provider, month=month)

    def alone(self) -> None:
        """Hold off everybody else who wants to write bills until this transaction ends."""
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cost bills'))")


class CostBill(models.Model):
    """One version of what a provider bills for a calendar month (UTC), in `currency`.

    Only the current version has rows: a newer one replaces them, and leaves of the former this header.
    """

    provider = models.CharField(max_length=60)
    month = models.DateField(help_text=_("Its first day."))
    version = models.PositiveIntegerField(default=1, editable=False)
    is_current = models.BooleanField(default=False, editable=False)
    currency = models.CharField(max_length=3, editable=False)
    source = models.CharField(max_length=200, editable=False, help_text=_("The file's name, or “typed in”."))
    # Of the unpacked file; empty for a typed bill.
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    rows = models.PositiveIntegerField(default=0, editable=False)
    total = models.DecimalField(max_digits=30, decimal_places=12, default=Decimal(0), editable=False)
    imported_at = models.DateTimeField(editable=False)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    objects = CostBillQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "provider", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "month", "version"], name="one_bill_per_version"),
            models.UniqueConstraint(
                fields=["provider", "month"],
                condition=models.Q(is_current=True),
                name="one_current_bill_per_month",
            ),
            models.CheckConstraint(condition=models.Q(month__day=1), name="bill_month_is_a_first"),
        ]
        indexes = [
            models.Index(fields=["sha256"], condition=~models.Q(sha256=""), name="bills_by_content"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}, {self.month:%Y-%m}"

    @property
    def is_typed(self) -> bool:
        return self.source == TYPED_IN


class CostRowQuerySet(models.QuerySet["CostRow"]):
    COPIED = ("bill_id", "line", "service", "category", "sub_account", "tags", "amount", "starts", "ends")

    def copy_in(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Add rows, their values as in COPIED, tags as the text of JSON; several times as fast as INSERT."""
        columns = ", ".join(self.COPIED)
        with connections[self.db].cursor() as cursor:
            table = self.model._meta.db_table
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)


class CostRow(models.Model):
    """One charge of a bill: its effective cost where the provider says it, else what was billed.

    Credits are negative; `ends` is exclusive and none where the provider does not say; tags map text to text.
    """

    bill = models.ForeignKey(CostBill, models.CASCADE, related_name="charges", db_index=False)
    line = models.PositiveIntegerField(default=0, editable=False)  # of the file, or the row as typed
    service = models.CharField(max_length=200)
    category = models.CharField(max_length=60, blank=True, default="Usage")
    sub_account = models.CharField(max_length=120, blank=True)
    tags: models.JSONField[dict[str, str], dict[str, str]] = models.JSONField(
        default=dict, blank=True, editable=False
    )
    amount = models.DecimalField(
        max_digits=30,
        decimal_places=12,
        validators=[MinValueValidator(Decimal(-(10**15))), MaxValueValidator(Decimal(10**15))],
    )
    starts = models.DateTimeField(editable=False)
    ends = models.DateTimeField(null=True, editable=False)

    objects = CostRowQuerySet.as_manager()

    class Meta:
        ordering = ["bill", "line"]
        indexes = [models.Index(fields=["bill", "service"], name="rows_by_service")]

    def __str__(self) -> str:
        return f"{self.service}: {self.amount.normalize():f}"


class PendingImportQuerySet(models.QuerySet["PendingImport"]):
    def made_before(self, at: datetime) -> PendingImportQuerySet:
        """Files that have waited since before `at`."""
        return self.filter(made_at__lt=at)


class PendingImport(models.Model):
    """A file that was read without a mistake and waits for somebody's yes; any web host can go on with it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    provider = models.CharField(max_length=60, blank=True)  # of rows that name none
    sha256 = models.CharField(max_length=64)
    # What reading it found: bills, services, columns; see `billing.costs.summary`.
    summary = models.JSONField[dict[str, object], dict[str, object]]()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    made_at = models.DateTimeField(db_index=True)

    objects = PendingImportQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class PendingPart(models.Model):
    """A piece of a waiting file, gzip-compressed as a whole, so that nobody holds all of it in memory."""

    pending = models.ForeignKey(PendingImport, models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ["pending", "number"]
        constraints = [models.UniqueConstraint(fields=["pending", "number"], name="one_part_per_number")]

    def __str__(self) -> str:
        return f"{self.pending}: part {self.number}"
