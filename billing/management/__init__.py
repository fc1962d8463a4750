"""Management commands of the second floor."""
