"""What tenants may use and what it costs, as PostgreSQL remembers it."""

from billing.models.allocations import (
    Allocation,
    CostAlias,
    CostLine,
    CostRule,
    CostShare,
    CostWeight,
)
from billing.models.caps import SpendCap
from billing.models.catalogue import MAX_QUANTITY, QUANTITY, Metric
from billing.models.costs import TYPED_IN, WITHDRAWN, CostBill, CostRow, PendingImport, PendingPart
from billing.models.entitlements import Entitlement, EntitlementChange
from billing.models.plans import Allowance, Plan, PriceTier
from billing.models.statements import Closing, Statement, StatementMonth
from billing.models.subscriptions import Override, Subscription

__all__ = [
    "MAX_QUANTITY",
    "QUANTITY",
    "TYPED_IN",
    "WITHDRAWN",
    "Allocation",
    "Allowance",
    "Closing",
    "CostAlias",
    "CostBill",
    "CostLine",
    "CostRow",
    "CostRule",
    "CostShare",
    "CostWeight",
    "Entitlement",
    "EntitlementChange",
    "Metric",
    "Override",
    "PendingImport",
    "PendingPart",
    "Plan",
    "PriceTier",
    "SpendCap",
    "Statement",
    "StatementMonth",
    "Subscription",
]
