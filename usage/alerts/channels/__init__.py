"""The channels there are, by the name that stands in a delivery."""

from collections.abc import Callable

from usage.alerts.channels.base import Channel
from usage.alerts.channels.email import Email
from usage.alerts.channels.inbox import Inbox
from usage.alerts.channels.slack import Slack
from usage.alerts.channels.webhook import Webhook

CHANNELS: dict[str, Callable[[], Channel]] = {
    channel.name: channel for channel in (Email, Inbox, Slack, Webhook)
}
