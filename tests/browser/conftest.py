import pytest

from tests.launched import LaunchedPortal


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    """A whole portal that the tests of a module share: each brings a device with a serial number of its own."""
    with LaunchedPortal(tmp_path_factory.mktemp("portal")) as portal:
        portal.start()
        yield portal
