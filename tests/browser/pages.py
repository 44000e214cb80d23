"""A person at the Console: a browser page that notes every complaint, and what people do on it."""

import re
from contextlib import contextmanager

from playwright.sync_api import expect

DESK = {"width": 1200, "height": 800}
PHONE = {"width": 390, "height": 844}


@contextmanager
def watched_page(browser, *, viewport=DESK, **kw):
    """A page in a session of its own. Errors on its console, such as violations of its policy, fail the test."""
    context = browser.new_context(viewport=viewport, **kw)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
    context.close()


def log_in(page, portal):
    page.goto(f"{portal.url}/login")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(portal.admin_password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("navigation", name="Places")).to_be_visible()


def open_claim(page, portal):
    log_in(page, portal)
    page.goto(f"{portal.url}/claim")


def type_code(page, code):
    """As a person does, who sees no difference between cases."""
    page.get_by_label("Provisioning code or serial number").press_sequentially(code.lower(), delay=20)


def expect_done(page, *steps):
    for step in steps:
        expect(page.locator(".step-done", has_text=step)).to_be_visible()


def device_id_of(page):
    found = re.search(r"/(?:claim|devices)/([0-9a-f-]{36})", page.url)
    assert found is not None
    return found[1]


def photograph(page, path, **kw):
    """A picture. The caret stays as it is: to hide it, a style would be put into the page, which its policy forbids."""
    page.screenshot(path=str(path), caret="initial", **kw)
