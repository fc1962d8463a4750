"""The settings of an application that has Headroom inside: ours, and a metered page of its own for people."""

from config.settings import *  # noqa: F403  # all of them, as a host application takes them

ROOT_URLCONF = "tests.browser.urls"
