"""Mails the invitations that wait, so that cron can do what Celery's beat does."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from tenants.invitation_mail import send_waiting


class Command(BaseCommand):
    help = "Mail the invitations that wait."

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(f"{send_waiting(timezone.now())} sent")
