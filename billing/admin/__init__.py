"""What operations edit in the admin: plans and prices, who is on which plan, who gets more than it."""

from billing.admin import costs, plans, tenants

__all__ = ["costs", "plans", "tenants"]
