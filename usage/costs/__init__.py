"""What each tenant costs: bills divided by what was used, beside what tenants bring in."""
