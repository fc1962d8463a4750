"""Real PostgreSQL and Valkey from Python wheels, for the demo and the tests; never for production.

`python -m config.embedded run -- COMMAND` runs COMMAND with DATABASE_URL and REDIS_URL of such servers.
"""

from config.embedded.state import running_urls

__all__ = ["running_urls"]
