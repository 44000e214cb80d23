from __future__ import annotations

import pytest
from hypothesis import settings

from fake_hub import FakeHub
from fake_portal import DEVICE_ID, SECRET, FakePortal
from gangway_device import Credentials, Network, Pace, Store

# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def no_proxy_from_outside(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def network():
    return Network()


@pytest.fixture
def pace():
    return Pace(base=0.005, cap=0.02, stable_after=0, answer_timeout=5)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state" / "A1.json")


@pytest.fixture
async def portal():
    async with FakePortal() as running:
        yield running


@pytest.fixture
async def hub():
    async with FakeHub() as running:
        yield running


@pytest.fixture
def aboard(store, hub):
    """The store of a device that was provisioned for `hub`."""
    store.save(
        Credentials(
            serial_number="A1",
            device_id=DEVICE_ID,
            device_secret=SECRET,
            tenant_id="6b1d5b0c-8f5e-4a53-a3f5-30b9f2a3a8de",
            data_residency="au",
            hub_url=hub.url,
            portal_url="http://127.0.0.1:9",
        )
    )
    return store
