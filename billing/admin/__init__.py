"""What operations edit in the admin: plans and prices, who is on which plan, who gets more than it."""

from billing.admin import plans

__all__ = ["plans"]
