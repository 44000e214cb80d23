"""devices.access: the doors."""

import pytest

from devices.access import choose_tenant, get_device, get_tenant, memberships_of
from devices.errors import Forbidden, InvalidRequest, NotFound
from devices.models import Membership, Role
from tests.base import make_device, no_such_id

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "allowed"), [(Role.VIEWER, "alice bob vera"), (Role.TECHNICIAN, "alice bob"), (Role.ADMIN, "alice")]
)
def test_members_come_as_far_as_their_role_and_others_find_nothing(cast, role, allowed):
    device = make_device(cast.tenant_a)
    for name in ("alice", "bob", "vera", "charlie", "dora"):
        user = getattr(cast, name)
        expected = None if name in allowed else NotFound if name in ("charlie", "dora") else Forbidden
        for door, names in (
            (get_device, {"device_id": device.public_id}),
            (get_tenant, {"tenant_id": cast.tenant_a.public_id}),
        ):
            if expected is None:
                assert door(user_id=user.pk, role=role, **names)
            else:
                with pytest.raises(expected):
                    door(user_id=user.pk, role=role, **names)


def test_what_is_not_there_is_not_found(cast):
    retired = make_device(cast.tenant_a, state="retired")
    for device_id in (retired.public_id, no_such_id(), "nonsense", ""):
        with pytest.raises(NotFound):
            get_device(user_id=cast.alice.pk, device_id=device_id)


def test_the_only_tenant_need_not_be_named(cast):
    assert choose_tenant(user_id=cast.bob.pk, tenant_id=None, role=Role.TECHNICIAN) == cast.tenant_a
    with pytest.raises(Forbidden):
        choose_tenant(user_id=cast.vera.pk, tenant_id=None, role=Role.TECHNICIAN)
    Membership.objects.create(user=cast.bob, tenant=cast.tenant_b, role=Role.VIEWER)
    assert choose_tenant(user_id=cast.bob.pk, tenant_id=None, role=Role.TECHNICIAN) == cast.tenant_a
    Membership.objects.filter(user=cast.bob).update(role=Role.TECHNICIAN)
    with pytest.raises(InvalidRequest):
        choose_tenant(user_id=cast.bob.pk, tenant_id=None, role=Role.TECHNICIAN)
    assert len(memberships_of(user_id=cast.bob.pk)) == 2


def test_roles_include_those_below():
    order = [Role.VIEWER, Role.TECHNICIAN, Role.ADMIN, Role.OWNER]
    assert [[one.includes(other) for other in order] for one in order] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
