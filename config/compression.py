"""Compresses pages on their way to a browser, and nothing else: what metered programs answer stays as they made it."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class PageGZipMiddleware(GZipMiddleware):
    """Django's own, for HTML that is sent at once.

    Against guesses by length (BREACH) it pads each answer by chance, tokens of forms are masked anew in each, and
    the session's cookie does not travel with what other sites embed.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if response.streaming or not is_page:
            return response
        return super().process_response(request, response)
