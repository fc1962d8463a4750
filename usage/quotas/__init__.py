"""Refuses what goes beyond a plan, with a clear answer. This is the public face:

from usage.quotas import quota, Rule, charge
"""

from usage.quotas.decisions import NotAdmitted, Refused, charge
from usage.quotas.decorators import Rule, quota

__all__ = ["NotAdmitted", "Refused", "Rule", "charge", "quota"]
