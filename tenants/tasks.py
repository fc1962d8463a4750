"""What the web process hands to Celery."""

from celery import shared_task

from tenants import resets


@shared_task(ignore_result=True)
def send_reset_link(email: str, language: str | None) -> None:
    """Look the person up and mail the link; here, so that the page takes the same time for every address."""
    resets.send_reset_link(email, language)
