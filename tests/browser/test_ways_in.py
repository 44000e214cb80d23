"""The other ways aboard, on real parts: contested serial numbers, devices that come later, provisioning tokens."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.devices import running_device
from tests.browser.pages import expect_done, log_in, open_claim, photograph, type_code, watched_page
from tests.http import POLL

pytestmark = [pytest.mark.browser, pytest.mark.once]


def poll_as(portal, *, token="", **body):
    """Another device's poll, whatever it is."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(portal.url + POLL, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  the portal of this test
        return json.load(answer)


def test_a_contested_device_is_let_in_by_its_code_and_the_digits_it_then_shows(portal, browser, tmp_path):
    with watched_page(browser) as page, running_device(portal, tmp_path, "TH200-0050") as device:
        open_claim(page, portal)
        code = device.shown_code()
        poll_as(portal, serialNumber=device.serial_number)
        page.get_by_label("Provisioning code or serial number").fill(device.serial_number)
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Two devices claim this serial number")
        expect(page.get_by_role("button", name="Let it in")).to_have_count(0)

        page.get_by_label("Provisioning code or serial number").fill("")
        type_code(page, code)
        expect(page.get_by_role("alert")).to_contain_text("Another device claims the same serial number")
        page.get_by_label("Name").fill("The right one")
        page.get_by_role("button", name="Let it in").click()
        # The field comes with the focus, and the device shows the digits at once.
        field = page.get_by_label("Two digits the device shows now")
        expect(field).to_be_focused()
        photograph(page, tmp_path / "contested.png")
        page.keyboard.type(device.shown_number())
        page.keyboard.press("Enter")
        expect_done(page, "Let in", "Credentials collected", "Connected", "Configured")
        expect(page.get_by_role("heading", name="The right one")).to_be_visible()


def test_a_device_that_comes_later_is_let_in_by_a_second_button_alone(portal, browser, tmp_path):
    with watched_page(browser) as page:
        open_claim(page, portal)
        page.get_by_label("Provisioning code or serial number").fill("TH200-0051")
        page.keyboard.press("Enter")
        button = page.get_by_role("button", name="Let it in when it first comes")
        expect(button).to_be_visible()
        page.get_by_label("Name").fill("Later")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(button).to_be_visible()
        button.click()
        expect(page.locator(".claim-card")).to_contain_text("Waiting for its first poll until")
        with running_device(portal, tmp_path, "TH200-0051"):
            expect_done(page, "Let in", "Credentials collected", "Connected", "Configured")


def test_a_device_with_a_provisioning_token_is_let_in_on_waiting(portal, browser):
    with watched_page(browser) as page:
        log_in(page, portal)
        page.goto(f"{portal.url}/settings/provisioning-tokens")
        page.get_by_label("Name").fill("Line 3")
        page.get_by_role("button", name="Create token").click()
        secret = page.locator("#new-secret").inner_text()
        page.goto(f"{portal.url}/waiting")
        expect(page.get_by_role("heading", name="Nobody is waiting")).to_be_visible()

        # No reload: the device appears by itself, and so does the number beside the place.
        shown = poll_as(portal, token=secret, serialNumber="TH200-0052", pollToken="p" * 43)["verificationCode"]
        expect(page.locator(".waiting-code")).to_have_text(re.sub("^(...)", r"\1 ", shown))
        expect(page.get_by_role("link", name="Waiting 1 need a decision")).to_be_visible()
        page.get_by_label("Name").fill("From line 3")
        page.keyboard.press("Enter")
        expect(page.locator(".waiting-code")).to_be_visible()
        page.get_by_role("button", name="Let it in").click()
        expect(page.locator("#messages")).to_contain_text("1 device was let in.")
        expect(page.get_by_role("heading", name="Nobody is waiting")).to_be_visible()
        expect(page.get_by_text("need a decision")).to_have_count(0)
        page.get_by_role("link", name="Devices").click()
        expect(page.get_by_role("link", name="From line 3")).to_be_visible()
