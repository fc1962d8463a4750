"""What pages, exports and the API say: reads counts, computes words and pictures, changes nothing."""

from usage.reports.dashboard import Dashboard, dashboard
from usage.reports.overview import Overview, overview

__all__ = ["Dashboard", "Overview", "dashboard", "overview"]
