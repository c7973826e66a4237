"""The browser that tests open pages in, where the machine has one."""

import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no Chromium or Chrome on this machine: the page was not opened (Debian: apt-get install chromium)"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)
