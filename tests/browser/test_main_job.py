"""The main job, from end to end on real parts: a device comes aboard before a person's eyes and is kept in step."""

import pytest
from playwright.sync_api import expect

from tests.browser.devices import running_device
from tests.browser.pages import (
    DESK,
    PHONE,
    device_id_of,
    expect_done,
    log_in,
    open_claim,
    photograph,
    type_code,
    watched_page,
)

pytestmark = [pytest.mark.browser, pytest.mark.once]


def test_a_device_is_let_in_by_its_code_and_keeps_its_twin_in_step(portal, browser, tmp_path):
    with watched_page(browser) as page, running_device(portal, tmp_path, "TH200-0042") as device:
        open_claim(page, portal)
        code = device.shown_code()
        # It looks up by itself; nothing else is pressed.
        type_code(page, code)
        card = page.locator(".claim-card")
        expect(card).to_contain_text("TH-200")
        expect(card).to_contain_text("TH200-0042")
        expect(page.get_by_label("Provisioning code or serial number")).to_have_value(f"{code[:3]} {code[3:]}")
        photograph(page, tmp_path / "claim.png")

        page.get_by_label("Name").fill("Cold room")
        page.get_by_role("button", name="Let it in").click()
        expect_done(page, "Let in", "Credentials collected", "Connected", "Configured")
        expect(page.get_by_role("status").filter(has_text="Cold room: configured.")).to_have_count(1)
        expect(page.get_by_role("link", name="Next device")).to_be_focused()

        page.goto(f"{portal.url}/devices/{device_id_of(page)}/twin")
        expect(page.locator("#presence")).to_contain_text("online")
        expect(page.locator("#twin-state")).to_contain_text("21.4")
        page.get_by_label("Setting").fill("interval")
        page.get_by_label("Kind").select_option(label="Number")
        page.get_by_label("Value").fill("30")
        page.locator(".leaf-form").get_by_role("button", name="Save").click()
        assert device.applied() == ({"interval": 30}, 1)
        # No reload: what the device reported and acknowledged comes by itself.
        expect(page.locator("#twin-state")).to_contain_text("version 1")
        expect(page.locator("#twin-state")).to_contain_text("Version 1 applied")
        expect(page.locator("tr", has_text="echo")).to_contain_text('"version 1"')

        page.get_by_role("button", name="Undo version 1").click()
        assert device.applied() == ({}, 2)
        expect(page.locator("#twin-state")).to_contain_text("Version 2 applied")


def test_what_somebody_types_is_not_swapped_away(portal, browser, tmp_path):
    with watched_page(browser) as page, running_device(portal, tmp_path, "TH200-0043") as device:
        open_claim(page, portal)
        type_code(page, device.shown_code())
        page.get_by_role("button", name="Let it in").click()
        expect_done(page, "Configured")
        page.goto(f"{portal.url}/devices/{device_id_of(page)}/twin")
        page.get_by_label("Setting").fill("half/typed")

        with watched_page(browser) as other:
            log_in(other, portal)
            other.goto(page.url)
            other.get_by_label("Setting").fill("interval")
            other.get_by_label("Value").fill("slow")
            other.locator(".leaf-form").get_by_role("button", name="Save").click()
            device.applied()
        expect(page.locator("#twin-state")).to_contain_text("Version 1 applied")
        expect(page.get_by_label("Setting")).to_have_value("half/typed")

        # And what was typed on top of an older version is neither lost nor in anybody's way.
        page.get_by_label("Value").fill("mine")
        page.locator(".leaf-form").get_by_role("button", name="Save").click()
        expect(page.locator("#editor")).to_contain_text("Somebody else changed it meanwhile")
        expect(page.get_by_label("Value")).to_have_value("mine")
        page.locator(".leaf-form").get_by_role("button", name="Save").click()
        expect(page.locator("#messages")).to_contain_text("Saved as version 2")
        assert device.applied()[0] == {"interval": "slow", "half": {"typed": "mine"}}


def test_a_device_is_let_in_by_keyboard_alone(portal, browser, tmp_path):
    with watched_page(browser) as page, running_device(portal, tmp_path, "TH200-0044") as device:
        open_claim(page, portal)
        # The field has the focus when the page opens.
        page.keyboard.type(device.shown_code(), delay=20)
        expect(page.locator(".claim-card")).to_be_visible()
        for _ in range(6):
            if page.evaluate("document.activeElement.name") == "name":
                break
            page.keyboard.press("Tab")
        page.keyboard.type("By hand")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Let it in")).to_be_focused()
        page.keyboard.press("Enter")
        expect_done(page, "Configured")
        expect(page.get_by_role("link", name="Next device")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Provisioning code or serial number")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()


def test_the_list_of_devices_and_a_phone_show_a_device_come_and_go(portal, browser, tmp_path):
    with watched_page(browser, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="dark") as page:
        open_claim(page, portal)
        with running_device(portal, tmp_path, "TH200-0045") as device:
            type_code(page, device.shown_code())
            button = page.get_by_role("button", name="Let it in")
            button.wait_for()
            # Both answers are on the first screen, above the bar at the bottom.
            bar = page.get_by_role("navigation", name="Places").bounding_box()
            box = button.bounding_box()
            assert box["y"] + box["height"] <= bar["y"]
            assert box["height"] == page.get_by_role("button", name="Not mine").bounding_box()["height"] >= 44
            photograph(page, tmp_path / "claim-phone.png")
            button.tap()
            expect_done(page, "Configured")
            page.get_by_role("navigation", name="Places").get_by_role("link", name="Devices").tap()
            row = page.locator("#rows tr", has_text=device.serial_number)
            expect(row.locator(".presence-online")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        expect(row.locator(".presence-offline")).to_be_visible()


def test_a_wrong_entry_is_said_where_it_was_typed(portal, browser):
    with watched_page(browser) as page:
        open_claim(page, portal)
        type_code(page, "222222")
        expect(page.get_by_role("alert")).to_have_text(
            "This code cannot be used. Look at the device: it may show a new one by now."
        )
        page.get_by_label("Provisioning code or serial number").fill("TH200-9999")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("No device with this serial number is waiting")


def test_every_page_works_without_javascript(portal, browser, tmp_path):
    with (
        watched_page(browser, viewport=DESK, java_script_enabled=False) as page,
        running_device(portal, tmp_path, "TH200-0046", connects=False) as device,
    ):
        open_claim(page, portal)
        code = device.shown_code()
        page.get_by_label("Provisioning code or serial number").fill(code)
        page.get_by_role("button", name="Look up").click()
        page.get_by_label("Name").fill("Plain")
        page.get_by_role("button", name="Let it in").click()
        expect_done(page, "Let in")
        page.get_by_role("link", name="Open device").click()
        page.get_by_role("link", name="Twin").click()
        page.get_by_label("Setting").fill("interval")
        page.get_by_label("Value").fill("30")
        page.locator(".leaf-form").get_by_role("button", name="Save").click()
        expect(page.locator("#messages")).to_contain_text("Saved as version 1")
        page.get_by_role("link", name="Change interval").click()
        expect(page.get_by_label("Value")).to_have_value("30")
        page.get_by_role("link", name="Access").click()
        page.get_by_label("Type Plain to confirm").fill("Plain")
        page.get_by_role("button", name="Delete Plain").click()
        expect(page.locator("#messages")).to_contain_text("Plain was deleted")
