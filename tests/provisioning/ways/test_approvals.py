"""The person's side: approving and declining what came with a token."""

import pytest

from devices.errors import InvalidRequest, InvalidTransition, SerialInUse, Unauthenticated
from devices.models import Device, DeviceState
from devices.services.credentials import authenticate_device
from provisioning.errors import DeviceIdNotAllowed, TokenUsedUp
from provisioning.services.approvals import approve_operation, decline_operation, replaced_device
from provisioning.services.expiry import expire_enrolments
from provisioning.services.operations import find_operation
from provisioning.services.tokens import revoke_provisioning_token
from provisioning.token_models import DeviceIdPolicy
from tests.base import make_device, make_product, make_tenant
from tests.provisioning.ways.props import (
    SYSTEM,
    bound_statement,
    connect,
    enrolments_of,
    fresh,
    history_of,
    make_operation,
    make_token,
    read,
    token_poll,
    without_serial,
)
from twins.services.twins import get_twin

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(db):
    return make_token(make_tenant())[0]


def approve(operation, **kw):
    return approve_operation(operation=operation, actor=SYSTEM, **kw)


def test_the_device_is_the_tokens_tenants_and_of_its_product():
    tenant = make_tenant()
    product = make_product(tenant)
    token, _ = make_token(tenant, product=product, maximum_credential_lifetime=3600)
    device = approve(make_operation(token, "AB-1", attributes={"fw": "1"}), name="Pump")
    assert (device.tenant, device.product, device.name) == (tenant, product, "Pump")
    assert (device.serial_number, device.attributes, device.credential_lifetime) == ("AB-1", {"fw": "1"}, 3600)
    assert get_twin(device_id=device.pk).desired == {}
    assert fresh(token).use_count == 1


@pytest.mark.parametrize(
    ("policy", "own", "requested", "chosen", "expected"),
    [
        (DeviceIdPolicy.FIXED, "", "", "", None),
        (DeviceIdPolicy.FIXED, "own-1", "", "", "own-1"),
        (DeviceIdPolicy.FIXED, "own-1", "", "given-1", DeviceIdNotAllowed),
        (DeviceIdPolicy.DEVICE_MAY, "", "asked-1", "", "asked-1"),
        (DeviceIdPolicy.DEVICE_MAY, "own-1", "", "", "own-1"),
        (DeviceIdPolicy.DEVICE_MAY, "own-1", "asked-1", "", "asked-1"),
        (DeviceIdPolicy.DEVICE_MAY, "", "asked-1", "given-1", DeviceIdNotAllowed),
        (DeviceIdPolicy.DEVICE_MAY, "", "asked-1", "asked-1", "asked-1"),
        (DeviceIdPolicy.DEVICE_MUST, "", "asked-1", "", "asked-1"),
        (DeviceIdPolicy.TECHNICIAN_MAY, "", "", "given-1", "given-1"),
        (DeviceIdPolicy.TECHNICIAN_MAY, "", "", "", None),
        (DeviceIdPolicy.TECHNICIAN_MUST, "", "", "given-1", "given-1"),
        (DeviceIdPolicy.TECHNICIAN_MUST, "", "", "", DeviceIdNotAllowed),
        (DeviceIdPolicy.EITHER_MAY, "", "asked-1", "given-1", "given-1"),
        (DeviceIdPolicy.EITHER_MAY, "own-1", "", "", "own-1"),
    ],
)
def test_who_chose_the_id(policy, own, requested, chosen, expected):
    token, _ = make_token(make_tenant(), device_id_policy=policy, device_id=own)
    operation = without_serial(token, requested)
    if expected is DeviceIdNotAllowed:
        with pytest.raises(DeviceIdNotAllowed):
            approve(operation, device_id=chosen)
        assert (fresh(operation).state, fresh(token).use_count) == ("waiting", 0)
    elif expected is None:
        assert len(approve(operation, device_id=chosen).external_id) == 36
    else:
        assert approve(operation, device_id=chosen).external_id == expected


def test_a_wrong_id_is_refused():
    token, _ = make_token(make_tenant(), device_id_policy=DeviceIdPolicy.EITHER_MAY)
    with pytest.raises(InvalidRequest):
        approve(without_serial(token), device_id="bad id!")


def test_it_is_decided_once(token):
    operation = without_serial(token)
    stale = fresh(operation)
    approve(operation)
    for decide in (approve, lambda o: decline_operation(operation=o, actor=SYSTEM)):
        with pytest.raises(InvalidTransition):
            decide(fresh(stale))
        with pytest.raises(InvalidTransition):
            decide(stale)
    assert fresh(token).use_count == 1
    assert Device.objects.filter(tenant=token.tenant).count() == 1


def test_a_declined_one_cannot_be_approved(token):
    operation = without_serial(token)
    decline_operation(operation=operation, actor=SYSTEM, reason="unknown")
    assert history_of(operation)[-1] == ("waiting", "declined", "unknown")
    with pytest.raises(InvalidTransition):
        approve(fresh(operation))


def test_a_token_lets_in_as_many_as_it_may():
    token, _ = make_token(make_tenant(), use_limit=1)
    first, second = without_serial(token), without_serial(token)
    approve(first)
    with pytest.raises(TokenUsedUp):
        approve(second)
    assert fresh(second).state == "waiting"


def test_a_revoked_token_lets_nobody_in(token):
    operation = without_serial(token)
    type(token).objects.filter(pk=token.pk).update(revoked_at=token.created_at)
    with pytest.raises(InvalidTransition):
        approve(operation)
    assert not Device.objects.filter(tenant=token.tenant).exists()


def test_an_enrolment_without_a_token_is_no_operation():
    device = make_device()
    with pytest.raises(InvalidTransition):
        approve(enrolments_of(device)[0])


class TestReplacing:
    def first(self, token, requested="sensor-01"):
        statement = bound_statement()
        token_poll(token, statement, requested)
        device = approve(find_operation(token=token, statement=statement))
        return device, read(token_poll(token, statement))

    def test_the_device_keeps_its_row_and_its_twin_and_old_credentials_die_at_the_hand_over(self, token):
        device, old = self.first(token)
        connect(device)
        statement = bound_statement()
        token_poll(token, statement, "sensor-01")
        operation = find_operation(token=token, statement=statement)
        assert replaced_device(operation=operation) == device
        assert approve(operation) == device
        # Until the hand-over the old ones are good: an approval that nobody collects cuts nobody off.
        assert authenticate_device(device_id=old["deviceId"], secret=old["deviceSecret"], network=None)
        new = read(token_poll(token, statement))
        assert new["deviceId"] == old["deviceId"] and new["deviceSecret"] != old["deviceSecret"]
        with pytest.raises(Unauthenticated):
            authenticate_device(device_id=old["deviceId"], secret=old["deviceSecret"], network=None)
        assert [row.state for row in enrolments_of(device)] == ["superseded", "delivered"]
        connect(device)
        assert [row.state for row in enrolments_of(device)] == ["superseded", "confirmed"]

    def test_one_that_is_not_collected_leaves_the_device_as_it_was(self, token, moved_clock):
        device, old = self.first(token)
        operation = without_serial(token, "sensor-01")
        approve(operation)
        moved_clock.advance(days=2)
        expire_enrolments()
        assert fresh(operation).state == "expired"
        assert fresh(device).state == DeviceState.ACTIVE
        assert authenticate_device(device_id=old["deviceId"], secret=old["deviceSecret"], network=None)

    def test_it_works_with_another_token_of_the_tenant_too(self, token):
        device, _ = self.first(token)
        revoke_provisioning_token(token=token, actor=SYSTEM)
        other, _ = make_token(token.tenant)
        assert approve(without_serial(other, "sensor-01")) == device

    def test_a_device_with_the_same_serial_number_is_replaced_and_keeps_its_id(self, token):
        device, _ = self.first(token, requested="")
        assert approve(make_operation(token, device.serial_number)) == device

    def test_two_devices_cannot_be_replaced_by_one(self, token):
        device, _ = self.first(token)
        other, _ = self.first(token, requested="sensor-02")
        operation = make_operation(token, device.serial_number, requested_id="sensor-02")
        with pytest.raises(SerialInUse):
            approve(operation)
        operation = make_operation(token, device.serial_number, requested_id="sensor-03")
        with pytest.raises(SerialInUse):
            approve(operation)
        assert fresh(other).external_id == "sensor-02"

    def test_a_suspended_device_is_not(self, token):
        device, _ = self.first(token)
        Device.objects.filter(pk=device.pk).update(state=DeviceState.SUSPENDED)
        with pytest.raises(InvalidTransition):
            approve(without_serial(token, "sensor-01"))

    def test_a_device_of_another_tenant_is_not(self, token):
        device, _ = self.first(token)
        other, _ = make_token(make_tenant())
        assert approve(without_serial(other, "sensor-01")) != device


def test_secrets_end_as_the_token_says(moved_clock):
    token, _ = make_token(make_tenant(), maximum_credential_lifetime=3600)
    statement = bound_statement()
    token_poll(token, statement)
    approve(find_operation(token=token, statement=statement))
    document = read(token_poll(token, statement))
    assert document["deviceSecretExpiresIn"] == 3600
    credentials = {"device_id": document["deviceId"], "secret": document["deviceSecret"], "network": None}
    moved_clock.advance(seconds=3599)
    assert authenticate_device(**credentials)
    moved_clock.advance(seconds=1)
    with pytest.raises(Unauthenticated):
        authenticate_device(**credentials)
