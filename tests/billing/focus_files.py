"""Bills as FOCUS CSV that tests write from the column lists of each version, and how they are read."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

from billing.focus import Charge, Reading
from billing.focus_lines import MB, unpacked
from billing.models import CostBill, CostRow

V1_0 = """
AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart
ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart
CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName CommitmentDiscountStatus CommitmentDiscountType
ConsumedQuantity ConsumedUnit ContractedCost ContractedUnitPrice EffectiveCost InvoiceIssuerName ListCost ListUnitPrice
PricingCategory PricingQuantity PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName
ResourceType ServiceCategory ServiceName SkuId SkuPriceId SubAccountId SubAccountName Tags
""".split()  # noqa: SIM905  # as the specification lists them
IN_1_1 = [
    *("CapacityReservationId", "CapacityReservationStatus", "CommitmentDiscountQuantity"),
    *("CommitmentDiscountUnit", "ServiceSubcategory", "SkuMeter", "SkuPriceDetails"),
]
IN_1_2 = [
    *("BillingAccountType", "InvoiceId", "PricingCurrency", "PricingCurrencyContractedUnitPrice"),
    *("PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "SubAccountType"),
]
IN_1_3 = [
    *("AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName"),
    *("AllocatedTags", "ContractApplied", "HostProviderName", "ServiceProviderName"),
]
IN_1_4 = ["CommitmentProgramEligibilityDetails", "InvoiceDetailId"]
OUT_1_4 = {"ProviderName", "PublisherName"}

COLUMNS = {
    "1.0": sorted(V1_0),
    "1.1": sorted(V1_0 + IN_1_1),
    "1.2": sorted(V1_0 + IN_1_1 + IN_1_2),
    "1.3": sorted(V1_0 + IN_1_1 + IN_1_2 + IN_1_3),
    "1.4": sorted({*V1_0, *IN_1_1, *IN_1_2, *IN_1_3, *IN_1_4} - OUT_1_4),
}
COUNTS = {"1.0": 43, "1.1": 50, "1.2": 57, "1.3": 65, "1.4": 65}

# A row of each kind; what a version does not have is left out when it is written.
ROW = {
    "BilledCost": "10",
    "BillingCurrency": "USD",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodEnd": "2026-10-02T00:00:00Z",
    "ChargePeriodStart": "2026-10-01T00:00:00Z",
    "EffectiveCost": "8",
    "ProviderName": "AWS",
    "ServiceName": "Compute",
    "ServiceProviderName": "AWS",
    "SubAccountId": "1234",
    "SubAccountName": "Production",
    "Tags": '{"tenant": "northwind"}',
}
NEEDED = ["ChargePeriodStart", "ChargeCategory", "BilledCost", "ServiceName"]


def bill(*rows: dict[str, str], columns: list[str] | None = None, version: str = "1.2") -> bytes:
    """A bill of rows like ROW, each with changes; one plain row where none is given."""
    text = io.StringIO(newline="")
    columns = COLUMNS[version] if columns is None else columns
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**ROW, **row} for row in rows or ({},))
    return text.getvalue().encode()


def small(*rows: dict[str, str], also: tuple[str, ...] = ()) -> bytes:
    """A bill with the needed columns alone, and those in `also`."""
    return bill(*rows, columns=[*NEEDED, *also])


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def named(value: object) -> str:
    """What stands in the name of a test that is tried with files: bytes do not."""
    return value if isinstance(value, str) else ""


def read(content: bytes, provider: str = "AWS", most: int | None = MB * 100) -> tuple[list[Charge], Reading]:
    """The charges of a file, and its reading with the mistakes."""
    reading = Reading(unpacked(io.BytesIO(content)), provider=provider, most=most)
    return list(reading), reading


def mistakes(content: bytes, provider: str = "AWS", most: int | None = MB * 100) -> list[str]:
    return [str(one) for one in read(content, provider, most)[1].mistakes]


def state() -> list[tuple[Any, ...]]:
    """All bills and rows there are."""
    headers = CostBill.objects.order_by("pk").values_list(
        "provider", "month", "version", "is_current", "total"
    )
    return [
        *headers,
        *CostRow.objects.order_by("pk").values_list("bill__version", "line", "service", "amount"),
    ]
