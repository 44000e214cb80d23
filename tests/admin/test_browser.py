"""The support admin under the portal's Content-Security-Policy, in a browser."""

import pytest
from playwright.sync_api import expect

PAGES = [
    "", "devices/device/", "devices/user/", "devices/user/add/", "devices/user/1/change/", "devices/user/1/password/",
    "devices/tenant/1/change/", "devices/membership/add/", "devices/historyentry/", "twins/twin/",
    "provisioning/enrolment/", "provisioning/provisioningcode/", "password_change/",
]  # fmt: skip


@pytest.mark.browser
def test_the_admin_keeps_to_the_content_security_policy(launched_portal, browser):
    page = browser.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{launched_portal.url}/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", launched_portal.admin_password)
    page.click("[type=submit]")
    expect(page).to_have_title("Look up | Gangway support")

    for path in PAGES:
        answer = page.goto(f"{launched_portal.url}/admin/{path}")
        assert answer is not None and answer.status == 200, path
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        page.wait_for_load_state("networkidle")

    assert complaints == []
