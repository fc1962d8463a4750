"""What is counted: metrics, and how large a quantity may be."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

# The largest quantity that Lua's numbers (IEEE doubles) hold exactly.
MAX_QUANTITY = 2**53

QUANTITY = [MinValueValidator(0), MaxValueValidator(MAX_QUANTITY)]


class Metric(models.Model):
    """Something counted; a row, so that operations can add one without a release."""

    class Kind(models.TextChoices):
        SUM = "sum", _("Sum: adds over the period")
        LEVEL = "level", _("Level: a standing amount, up and down")
        DISTINCT = "distinct", _("Distinct: different members seen in the period")

    class Unit(models.TextChoices):
        COUNT = "count", _("Count")
        BYTES = "bytes", _("Bytes")

    class OnOutage(models.TextChoices):
        ALLOW = "allow", _("Allow, and count afterwards")
        REFUSE = "refuse", _("Refuse with 503")

    code = models.CharField(
        max_length=32,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", _("Small letters, digits and _; a letter first."))],
    )
    name = models.CharField(max_length=60, help_text=_("As people read it: “API calls”."))
    noun = models.CharField(max_length=30, help_text=_("What is counted, in the plural: “calls”."))
    kind = models.CharField(max_length=8, choices=Kind)
    unit = models.CharField(max_length=5, choices=Unit, default=Unit.COUNT)
    on_outage = models.CharField(max_length=6, choices=OnOutage, default=OnOutage.ALLOW)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name
