"""Lists of serial numbers: preview, import, export, removal; and what they let in."""

import pytest

from devices.errors import InvalidRequest, PayloadTooLarge
from devices.models import Admission, Device, ListedSerial
from devices.services.serial_lists import (
    LINE_LIMIT,
    TOLD,
    export_serials,
    import_serials,
    preview_import,
    remove_serials,
)
from provisioning.errors import SerialNotListed
from provisioning.services.claims import claim_by_code, claim_by_serial
from provisioning.services.enrolments import Statement
from provisioning.services.polling import Pending
from provisioning.services.removal import delete_device
from tests.base import make_code, make_poll_token, make_product, make_statement, make_tenant, poll, unique
from tests.provisioning.ways.props import (
    SYSTEM,
    bound_statement,
    connect,
    enrolments_of,
    history_of,
    make_listed_product,
    read,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def product(db):
    return make_product(make_tenant())


def lines(text):
    return text.splitlines(keepends=True)


def load(product, text, **kw):
    return import_serials(product=product, lines=lines(text), actor=SYSTEM, **kw)


def listed(product):
    return list(ListedSerial.objects.filter(product=product).order_by("pk").values_list("serial_number", flat=True))


def test_a_preview_says_what_is_new_known_and_invalid_and_writes_nothing(product):
    load(product, "AB-1\nAB-2\n")
    outcome = preview_import(product=product, lines=lines('serial number,room\nab1,4\n\nAB-3\nab 3\nkäfer\n"A,B"\n'))
    assert (outcome.new, outcome.known, outcome.invalid) == (2, 1, 2)
    assert [(found.line, found.reason) for found in outcome.invalid_lines] == [
        (5, "The same as in line 4."),
        (6, "A serial number has 1 to 64 printable ASCII characters."),
    ]
    assert listed(product) == ["AB-1", "AB-2"]


@pytest.mark.parametrize("header", ["serial", "Serial Number", "serial_number", "SN", "serialNumber"])
def test_a_header_is_none_of_them(product, header):
    assert load(product, f"{header}\nAB-1\n").new == 1
    assert listed(product) == ["AB-1"]


def test_an_import_is_all_or_nothing(product):
    with pytest.raises(InvalidRequest) as caught:
        load(product, "AB-1\nkäfer\n")
    assert caught.value.errors == [
        {"field": "line 2", "detail": "A serial number has 1 to 64 printable ASCII characters."}
    ]
    assert listed(product) == []


def test_an_import_may_leave_out_what_is_invalid(product):
    outcome = load(product, "AB-1\nkäfer\nAB-2", skip_invalid=True)
    assert (outcome.new, outcome.invalid) == (2, 1)
    assert listed(product) == ["AB-1", "AB-2"]


def test_an_import_may_be_repeated(product):
    load(product, "AB-1\n")
    assert load(product, "ab1\nAB-2\n").known == 1
    assert listed(product) == ["AB-1", "AB-2"]


def test_the_same_serial_number_may_be_on_two_products_lists(product):
    load(product, "AB-1\n")
    assert load(make_product(make_tenant()), "AB-1\n").new == 1


def test_of_many_invalid_lines_the_first_are_told(product):
    outcome = preview_import(product=product, lines=["käfer\n"] * (TOLD + 5))
    assert (outcome.invalid, len(outcome.invalid_lines)) == (TOLD + 5, TOLD)


def test_a_list_has_an_end(product):
    with pytest.raises(PayloadTooLarge):
        preview_import(product=product, lines=(f"SN{n}\n" for n in range(LINE_LIMIT + 1)))


def test_a_whole_list_is_imported(product, django_assert_max_num_queries):
    outcome = load(product, "".join(f"SN{n}\n" for n in range(5000)))
    assert outcome.new == 5000
    assert ListedSerial.objects.filter(product=product).count() == 5000


def test_what_is_no_csv_is_refused(product):
    for text in ('"AB\x00', "x" * 200_000):
        with pytest.raises(InvalidRequest):
            load(product, text)


def test_an_export_can_be_imported_and_says_what_became_of_each(product):
    load(product, 'AB-1\nAB-2\nAB-3\n"A,""B"\n')
    for serial in ("AB-2", "AB-3"):
        claim_by_serial(serial_number=serial, tenant=product.tenant, product=product, actor=SYSTEM)
    read(poll(make_statement("AB-3")))
    connect(Device.objects.get(serial_number="AB-3"))
    text = "".join(export_serials(product=product))
    assert text.splitlines() == ["serial_number,state", "AB-1,unused", "AB-2,let-in", "AB-3,active", '"A,""B",unused']
    assert preview_import(product=product, lines=lines(text)).known == 4


def test_what_is_removed_lets_nothing_in_any_more(product):
    load(product, "AB-1\nAB-2\n")
    assert remove_serials(product=product, serial_numbers=["ab1", "nonsense"], actor=SYSTEM) == 1
    assert listed(product) == ["AB-2"]


class TestAdmission:
    def test_a_claim_of_an_unlisted_serial_number_is_refused(self):
        tenant = make_tenant()
        product = make_listed_product(tenant, "AB-1")
        statement = make_statement()
        code = make_code(statement).code
        for claim in (
            lambda: claim_by_code(code=code, tenant=tenant, product=product, actor=SYSTEM),
            lambda: claim_by_serial(
                serial_number=statement.serial_number, tenant=tenant, product=product, actor=SYSTEM
            ),
        ):
            with pytest.raises(SerialNotListed):
                claim()
        assert not Device.objects.filter(tenant=tenant).exists()

    def test_an_open_product_lets_any_in(self):
        tenant = make_tenant()
        product = make_listed_product(tenant, "AB-1", admission=Admission.OPEN)
        assert claim_by_serial(serial_number="ZZ-1", tenant=tenant, product=product, actor=SYSTEM)


class TestAdmissionBySerialAlone:
    def poll(self, serial, product, **kw):
        statement = make_statement(serial, poll_token=make_poll_token())
        return poll(Statement(statement.serial_number, statement.poller, product=product, **kw))

    def make(self, *serials, **kw):
        return make_listed_product(make_tenant(), *serials, admits_by_serial_alone=True, **kw)

    def test_it_is_off_unless_somebody_wants_it(self):
        serial = unique("SN")
        product = make_listed_product(make_tenant(), serial)
        assert product.admits_by_serial_alone is False
        assert isinstance(self.poll(serial, product.code), Pending)

    @pytest.mark.parametrize("by", ["code", "public_id"])
    def test_the_first_poll_that_names_the_product_is_given_the_credentials(self, by):
        serial = unique("SN")
        product = self.make(serial)
        document = read(self.poll(serial, str(getattr(product, by))))
        device = Device.objects.get(public_id=document["deviceId"])
        assert (device.tenant, device.product) == (product.tenant, product)
        assert history_of(enrolments_of(device)[0])[1][2].startswith("its serial number is listed")

    def test_it_lets_in_once(self):
        serial = unique("SN")
        product = self.make(serial)
        document = read(self.poll(serial, product.code))
        delete_device(device=Device.objects.get(public_id=document["deviceId"]), actor=SYSTEM)
        assert isinstance(self.poll(serial, product.code), Pending)

    def test_it_needs_the_product_and_the_list(self):
        serial = unique("SN")
        product = self.make(serial)
        assert isinstance(self.poll(serial, ""), Pending)
        assert isinstance(self.poll(unique("SN"), product.code), Pending)
        assert isinstance(self.poll(serial, unique("other")), Pending)

    def test_two_tenants_that_list_it_need_a_person(self):
        serial = unique("SN")
        product = self.make(serial)
        other = self.make(serial)
        type(other).objects.filter(pk=other.pk).update(code=product.code)
        assert isinstance(self.poll(serial, product.code), Pending)

    def test_a_rival_needs_a_person(self):
        serial = unique("SN")
        product = self.make(serial)
        poll(bound_statement(serial))
        assert isinstance(self.poll(serial, product.code), Pending)

    def test_a_device_of_the_tenant_like_it_needs_a_person(self):
        serial = unique("SN")
        product = self.make(serial)
        Device.objects.create(
            tenant=product.tenant, product=product, serial_number=serial, serial_key=serial.replace("-", "").upper()
        )
        assert isinstance(self.poll(serial, product.code), Pending)
