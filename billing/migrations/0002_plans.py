"""Seeds the four metrics and the four plans; operations edit them in the admin from then on."""

from decimal import Decimal

from django.db import migrations
from django.utils import timezone

MB = 10**6

# code: name, noun, kind, unit, (overage price, per base units)
METRICS = {
    "api_calls": ("API calls", "calls", "sum", "count", ("0.001", 1)),
    "storage": ("Storage", "storage", "level", "bytes", ("0.05", MB)),
    "users": ("Active users", "users", "distinct", "count", None),
    "bandwidth": ("Bandwidth", "bandwidth", "sum", "bytes", ("0.02", MB)),
}
# slug: name, base fee a month, beyond, included of each metric
PLANS = {
    "free": ("Free", 0, "stop", (1_000, 100 * MB, 3, 500 * MB)),
    "starter": ("Starter", 29, "stop", (50_000, 5_000 * MB, 10, 10_000 * MB)),
    "pro": ("Pro", 199, "bill", (500_000, 50_000 * MB, 50, 100_000 * MB)),
    "enterprise": ("Enterprise", 1_499, "bill", (5_000_000, 500_000 * MB, 500, 1_000_000 * MB)),
}


def seed(apps, schema_editor):
    at = timezone.now()

    def add(name, /, **fields):
        """A row, and the first entry of its history where it has one: a migration sends no signals."""
        row = apps.get_model("billing", name).objects.create(**fields)
        if name != "Metric":
            values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
            history = apps.get_model("billing", f"Historical{name}")
            history.objects.create(**values, history_type="+", history_date=at)
        return row

    metrics = []
    for position, (code, (name, noun, kind, unit, price)) in enumerate(METRICS.items(), 1):
        metric = add("Metric", code=code, name=name, noun=noun, kind=kind, unit=unit, position=position)
        metrics.append((metric, price))
    for position, (slug, (name, fee, beyond, amounts)) in enumerate(PLANS.items(), 1):
        plan = add("Plan", slug=slug, name=name, base_fee=Decimal(fee), position=position)
        for (metric, price), included in zip(metrics, amounts, strict=True):
            allowance = add("Allowance", plan=plan, metric=metric, included=included, beyond=beyond)
            if beyond == "bill" and price:
                add("PriceTier", allowance=allowance, price=Decimal(price[0]), per=price[1])


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_billing")]

    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
