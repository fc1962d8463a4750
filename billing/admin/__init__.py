"""What operations edit in the admin: plans and prices, who is on which plan, bills and how they are divided."""

from billing.admin import caps, cost_rules, costs, plans, tenants

__all__ = ["caps", "cost_rules", "costs", "plans", "tenants"]
