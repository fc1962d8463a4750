"""A provider's bill as FOCUS CSV, from the upload to its rows in PostgreSQL: `make bench BENCH=focus`.

Writes a bill of ROWS rows with all columns of FOCUS 1.2, then does what the pages do: look at it, keep it, import it,
import it again over itself. A tenth of the bill goes first, so that the table shows what memory does when a bill is
ten times as large. The goals are 100 000 rows in 15 seconds and no growth to speak of.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import platform
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()

from django.core.management import call_command  # noqa: E402  # after Django, which reads the settings
from django.utils import timezone  # noqa: E402

from billing.costs import pending  # noqa: E402
from billing.costs.bills import import_bill  # noqa: E402
from billing.costs.summary import summarise  # noqa: E402
from billing.focus import Reading  # noqa: E402
from billing.focus_lines import unpacked  # noqa: E402
from billing.models import CostRow  # noqa: E402
from tenants.models import User  # noqa: E402

ROWS = int(os.environ.get("ROWS", "100000"))
GOAL = 15.0  # seconds for 100 000 rows, looking and importing together
MOST_GROWTH = 32.0  # MB that a bill ten times as large may take more
COLUMNS = """
AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd
BillingPeriodStart CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription
ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId
CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus CommitmentDiscountType
CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice EffectiveCost InvoiceId
InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice
PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity PricingUnit ProviderName PublisherName
RegionId RegionName ResourceId ResourceName ResourceType ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter
SkuPriceDetails SkuPriceId SubAccountId SubAccountName SubAccountType Tags
"""
MONTH = datetime(2026, 10, 1, tzinfo=UTC)
Found = TypeVar("Found")


def write_bill(file: BinaryIO, rows: int) -> int:
    """A bill like those of the large providers, gzip-compressed; returns its unpacked size in bytes."""
    dice, columns = random.Random(7), COLUMNS.split()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=5) as packed:
        text = io.TextIOWrapper(packed, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, columns, restval="")
        writer.writeheader()
        for number in range(rows):
            writer.writerow(one_row(dice, number))
        text.flush()
        size = packed.tell()
        text.detach()
    return size


def one_row(dice: random.Random, number: int) -> dict[str, object]:
    starts = MONTH + timedelta(hours=number % 744)
    service, cost = f"Service {dice.randrange(60)}", f"{dice.uniform(-0.2, 3):.12g}"
    resource_id = f"arn:aws:ec2:eu-central-1:123456789012:instance/i-{dice.getrandbits(64):017x}"
    return {
        "BilledCost": cost,
        "BillingAccountId": "123456789012",
        "BillingAccountName": "Production",
        "BillingCurrency": "USD",
        "BillingPeriodStart": "2026-10-01T00:00:00Z",
        "BillingPeriodEnd": "2026-11-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": f"$0.0104 per hour of {service} in a region, on demand, counted by the second",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": f"{starts:%Y-%m-%dT%H:%M:%SZ}",
        "ChargePeriodEnd": f"{starts + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "ConsumedQuantity": "1.0",
        "ConsumedUnit": "Hours",
        "ContractedCost": cost,
        "EffectiveCost": cost if number % 9 else "1.25E-7",
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "ListCost": cost,
        "PricingCategory": "Standard",
        "PricingQuantity": "1.0",
        "PricingUnit": "Hours",
        "ProviderName": "AWS",
        "PublisherName": "AWS",
        "RegionId": "eu-central-1",
        "RegionName": "EU (Frankfurt)",
        "ResourceId": resource_id,
        "ServiceCategory": "Compute",
        "ServiceName": service,
        "SkuId": f"{dice.getrandbits(60):X}",
        "SkuPriceDetails": '{"x_InstanceType": "t3.micro", "CoreCount": 2}',
        "SubAccountId": f"{dice.randrange(10**12):012}",
        "Tags": f'{{"tenant": "tenant-{dice.randrange(400)}", "team": "core", "pod": "{number}"}}',
    }


def timed(do: Callable[[], Found]) -> tuple[float, Found]:
    begun = time.perf_counter()
    found = do()
    return time.perf_counter() - begun, found


def peak() -> float:
    """The most memory this process has had, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def import_all(rows: int, person: User) -> float:
    """One bill, as the pages do it; prints its line, returns the seconds of looking and importing."""
    with tempfile.TemporaryFile() as file:
        unpacked_size = write_bill(file, rows)
        packed_size = file.tell()
        looked, summary = timed(lambda: summarise(Reading(unpacked(file))))
        kept, waiting = timed(
            lambda: pending.keep(
                file, name="b.csv.gz", provider="", summary=summary, author=person, at=timezone.now()
            )
        )

    def confirm() -> object:
        reading = Reading(pending.unpacked(waiting))
        return import_bill(reading, source=waiting.name, author=person, at=timezone.now())

    imported, _bills = timed(confirm)
    again, _bills = timed(confirm)
    assert CostRow.objects.count() == rows
    sizes = f"{unpacked_size / 1e6:8.0f}{packed_size / 1e6:8.1f}"
    seconds = "".join(f"{one:8.2f} s" for one in (looked, kept, imported, again))
    print(f"{rows:>8,}{sizes}{seconds}{rows / (looked + imported):>10,.0f}{peak():>9.0f}", flush=True)
    return looked + kept + imported


def main() -> int:
    call_command("migrate", verbosity=0)
    person = User.objects.create_user("bench@ops.example")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(f"{'rows':>8}{'MB':>8}{'gz MB':>8}{'look':>10}{'keep':>10}{'import':>10}{'again':>10}", end="")
    print(f"{'rows/s':>10}{'peak MB':>9}")
    import_all(max(1, ROWS // 10), person)
    before = peak()
    seconds = import_all(ROWS, person)
    growth = peak() - before
    goal = GOAL * ROWS / 100_000
    is_good = seconds <= goal and growth <= MOST_GROWTH
    print(f"\n{seconds:.1f} s of {goal:.1f} s, {growth:.0f} MB more for ten times the rows", end="")
    print(f" (at most {MOST_GROWTH:.0f}): {'good' if is_good else 'not good'}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
