"""Who they are: tenants, the people who belong to them, and the keys their programs use."""

from tenants.models.audit import AuditEntry
from tenants.models.invitations import Invitation
from tenants.models.keys import ApiKey
from tenants.models.memberships import Membership
from tenants.models.people import User
from tenants.models.tenants import Tenant

__all__ = ["ApiKey", "AuditEntry", "Invitation", "Membership", "Tenant", "User"]
