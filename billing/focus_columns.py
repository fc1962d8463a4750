"""The columns of FOCUS 1.0 to 1.4: which a bill must have, which are used where given, which are known."""

from __future__ import annotations

NEEDED = ("ChargePeriodStart", "ChargeCategory", "BilledCost", "ServiceName")

# What is in a bill beside them, in one version or another. A name that begins with x_ is the provider's own.
_OPTIONAL = """
AllocatedMethodDetails AllocatedMethodId AllocatedResourceId AllocatedResourceName AllocatedTags
AvailabilityZone BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd
BillingPeriodStart CapacityReservationId CapacityReservationStatus ChargeClass ChargeDescription
ChargeFrequency ChargePeriodEnd CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName
CommitmentDiscountQuantity CommitmentDiscountStatus CommitmentDiscountType CommitmentDiscountUnit
CommitmentProgramEligibilityDetails ConsumedQuantity ConsumedUnit ContractApplied ContractedCost
ContractedUnitPrice EffectiveCost HostProviderName InvoiceDetailId InvoiceId InvoiceIssuerName ListCost
ListUnitPrice PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice
PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity PricingUnit ProviderName
PublisherName RegionId RegionName ResourceId ResourceName ResourceType ServiceCategory ServiceProviderName
ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId SubAccountName SubAccountType Tags
"""

# Warehouses write names in capitals or in small letters: the case does not count.
BY_FOLDED = {name.casefold(): name for name in (*NEEDED, *_OPTIONAL.split())}


def canonical(header: list[str]) -> list[str]:
    """The names of a header as FOCUS writes them; others as they are, without spaces around them."""
    names = [name.strip() for name in header]
    return [BY_FOLDED.get(name.casefold(), name) for name in names]


def missing(names: list[str]) -> list[str]:
    """Needed columns that are not among canonical `names`."""
    return [name for name in NEEDED if name not in names]


def repeated(names: list[str]) -> list[str]:
    """Names that stand twice, each once; columns without a name can't be told apart either."""
    folded = [name.casefold() for name in names]
    return sorted({name for name in names if folded.count(name.casefold()) > 1})


def unknown(names: list[str]) -> list[str]:
    """Names of no FOCUS column, the providers' own x_ aside."""
    return [name for name in names if name not in BY_FOLDED.values() and not name.casefold().startswith("x_")]
