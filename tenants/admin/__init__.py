"""What operations edit in the admin: tenants, the people who belong to them, their keys."""

from tenants.admin.keys import ApiKeyAdmin
from tenants.admin.people import MembershipAdmin, UserAdmin
from tenants.admin.tenants import TenantAdmin

__all__ = ["ApiKeyAdmin", "MembershipAdmin", "TenantAdmin", "UserAdmin"]
