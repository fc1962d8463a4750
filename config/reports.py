"""What an error report may say of a request: no field that looks like a secret, whichever view it was sent to."""

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class ReporterFilter(SafeExceptionReporterFilter):
    """Django hides what a view has marked; an error may come before the view."""

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, object]:
        found = dict(super().get_post_parameters(request).items())
        return {name: self.cleanse_setting(name, value) for name, value in found.items()}
