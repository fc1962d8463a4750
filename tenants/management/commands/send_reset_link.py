"""Mails people the link to set a password: `manage.py send_reset_link ann@example.com …`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tenants.resets import send_reset_link


class Command(BaseCommand):
    help = "Mails people the link with which they set a password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", nargs="+", help="The address a person signs in with.")

    def handle(self, *_args: Any, **options: Any) -> None:
        for email in options["email"]:
            sent = send_reset_link(email)
            self.stdout.write(f"{email}: {'sent' if sent else 'nobody active has this address'}")
