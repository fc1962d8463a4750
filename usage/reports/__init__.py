"""What pages, exports and the API say: reads counts, computes words and pictures, changes nothing."""

from usage.reports.dashboard import Dashboard, dashboard

__all__ = ["Dashboard", "dashboard"]
