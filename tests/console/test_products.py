"""The pages of products and their lists of serial numbers."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from devices.models import Admission, ListedSerial, Product
from tests.base import make_product, make_statement, no_such_id, unlock
from tests.console.pages import logged_in, text_of, url
from tests.provisioning.ways.props import make_listed_product

# What pages show does not depend on the database; what they call is tested on both.
pytestmark = [pytest.mark.django_db, pytest.mark.once]
RULES = {"save": "1", "name": "Lamp", "admission": "open", "window": "24", "unit": "h"}


@pytest.fixture
def alice(cast):
    return logged_in(cast.alice)


@pytest.fixture
def lamp(cast):
    return make_product(cast.tenant_a, "lamp")


def post(client, product, **fields):
    return client.post(url("product", product.public_id), fields)


def look_at(client, product, text):
    file = SimpleUploadedFile("list.csv", text if isinstance(text, bytes) else text.encode())
    return post(client, product, preview="1", file=file)


def key_in(answer):
    return answer.content.decode().split('name="import" value="')[1].split('"')[0]


def listed(product):
    return list(ListedSerial.objects.filter(product=product).order_by("pk").values_list("serial_number", flat=True))


def test_a_page_without_products_teaches(alice):
    assert "No products yet" in text_of(alice.get(url("products")))


def test_a_product_is_made_and_changed(cast, alice):
    answer = alice.post(url("products"), {"code": "TH-200", "name": "Thermometer"})
    product = Product.objects.get()
    assert answer["Location"] == url("product", product.public_id)
    assert (product.tenant, product.code, product.name) == (cast.tenant_a, "TH-200", "Thermometer")
    assert "Thermometer" in text_of(alice.get(url("products")))

    post(alice, product, **{**RULES, "name": "Sensor", "admission": "listed", "window": "2", "unit": "d", "alone": "1"})
    product.refresh_from_db()
    assert (product.name, product.admission, product.activation_window) == ("Sensor", Admission.LISTED, 2 * 86400)
    assert product.admits_by_serial_alone
    shown = text_of(alice.get(url("product", product.public_id)))
    assert "without a person and without any proof" in shown
    assert "listed ones without a person" in text_of(alice.get(url("products")))
    post(alice, product, **RULES)
    product.refresh_from_db()
    assert not product.admits_by_serial_alone


@pytest.mark.parametrize("code", ["", "a b", "x" * 65, "a\x00"])
def test_a_code_that_will_not_do_is_said(alice, code):
    answer = alice.post(url("products"), {"code": code, "name": "Kept"})
    assert "A code has 1 to 64 characters" in text_of(answer) and b'value="Kept"' in answer.content
    assert not Product.objects.exists()


def test_a_code_is_used_once(alice, lamp):
    assert "already has a product" in text_of(alice.post(url("products"), {"code": "lamp"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"admission": "whoever"},
        {"window": ""},
        {"window": "-1"},
        {"window": "1", "unit": "s"},
        {"window": "999999999", "unit": "d"},
        {"unit": "weeks"},
    ],
)
def test_rules_that_will_not_do_change_nothing(alice, lamp, wrong):
    answer = post(alice, lamp, **{**RULES, "name": "Other", **wrong})
    assert answer.status_code == 200 and b'role="alert"' in answer.content
    lamp.refresh_from_db()
    assert (lamp.name, lamp.activation_window) == ("Lamp", 86400)


@pytest.mark.parametrize(
    ("seconds", "number", "unit"), [(86400, 24, "h"), (604800, 7, "d"), (90, 90, "s"), (60, 60, "s")]
)
def test_a_window_is_shown_in_its_largest_unit(alice, lamp, seconds, number, unit):
    Product.objects.filter(pk=lamp.pk).update(activation_window=seconds)
    content = alice.get(url("product", lamp.public_id)).content.decode()
    assert f'name="window" value="{number}"' in content and f'value="{unit}" selected' in content


def test_a_list_is_looked_at_before_anything_is_written(cast, alice):
    product = make_listed_product(cast.tenant_a, "SN-1")
    answer = look_at(alice, product, "serial\nSN-1\nSN-2\r\nSN-3\nsn 2\n\nx\x00y\n")
    shown = text_of(answer)
    assert "Nothing was imported yet" in shown and "2 new, 1 known and 2 invalid lines" in shown
    assert "Line 5: The same as in line 3" in shown and "Line 7:" in shown
    assert listed(product) == ["SN-1"]

    done = alice.post(url("product", product.public_id), {"import": key_in(answer)}, follow=True)
    assert "2 serial numbers were put on the list. 2 invalid lines were left out." in text_of(done)
    assert listed(product) == ["SN-1", "SN-2", "SN-3"]


def test_a_list_may_be_typed(alice, lamp):
    answer = post(alice, lamp, preview="1", serials="SN-1\r\nSN-2")
    assert "2 new, 0 known and 0 invalid lines" in text_of(answer)
    post(alice, lamp, **{"import": key_in(answer)})
    assert listed(lamp) == ["SN-1", "SN-2"]


def test_a_list_that_holds_nothing_new_offers_no_import(cast, alice):
    product = make_listed_product(cast.tenant_a, "SN-1")
    assert b'name="import"' not in look_at(alice, product, "SN-1\n").content


@pytest.mark.parametrize(
    ("text", "sentence"), [("", "The list is empty"), ("\n\n", "The list is empty"), (b"\xff\xfe", "not UTF-8")]
)
def test_a_file_that_is_no_list_is_said(alice, lamp, text, sentence):
    assert sentence in text_of(look_at(alice, lamp, text))


def test_a_file_that_is_too_large_is_said(alice, lamp, monkeypatch):
    from portal.console import kept_lists

    monkeypatch.setattr(kept_lists, "LIST_LIMIT", 10)
    assert "at most 10 bytes" in text_of(look_at(alice, lamp, "SN-1\n" * 5))


@pytest.mark.parametrize("key", ["", "nonsense", "Ω", "x" * 300])
def test_what_was_not_looked_at_is_not_imported(alice, lamp, key):
    assert "Nothing was imported" in text_of(post(alice, lamp, **{"import": key}))
    assert not listed(lamp)


def test_a_list_is_kept_for_one_person_and_one_product(cast, alice, lamp):
    from devices.models import Membership, Role

    Membership.objects.filter(user=cast.bob).update(role=Role.ADMIN)
    other = make_product(cast.tenant_a, "other")
    key = key_in(look_at(alice, lamp, "SN-1\n"))
    assert "Nothing was imported" in text_of(post(alice, other, **{"import": key}))
    assert "Nothing was imported" in text_of(post(logged_in(cast.bob), lamp, **{"import": key}))
    post(alice, lamp, **{"import": key})
    assert "Nothing was imported" in text_of(post(alice, lamp, **{"import": key}))
    assert listed(lamp) == ["SN-1"]


def test_what_became_of_a_serial_number_is_shown_and_it_can_be_removed(cast, alice):
    product = make_listed_product(cast.tenant_a, "SN-1", "SN-2")
    unlock(make_statement("SN-1"), cast.tenant_a, product=product)
    shown = text_of(alice.get(url("product", product.public_id)))
    assert "SN-1 let in, not connected yet" in shown and "SN-2 unused" in shown
    answer = alice.post(url("product", product.public_id), {"remove": "SN-2"}, follow=True)
    assert "SN-2 was taken off the list" in text_of(answer)
    assert listed(product) == ["SN-1"]
    again = alice.post(url("product", product.public_id), {"remove": "SN-2"}, follow=True)
    assert "not on the list any more" in text_of(again)


def test_the_list_is_found_by_its_beginning_and_goes_on_page_by_page(cast, alice, monkeypatch):
    from portal.console.views import products

    monkeypatch.setattr(products, "_PAGE", 2)
    product = make_listed_product(cast.tenant_a, "AA-1", "AA-2", "AA-3", "BB-1")
    address = url("product", product.public_id)
    content = alice.get(address, {"serial": "aa"}).content.decode()
    assert "AA-3" in content and "AA-2" in content and "AA-1" not in content and "BB-1" not in content
    following = content.split('rel="next"')[0].rsplit('href="', 1)[-1].split('"')[0].replace("&amp;", "&")
    assert "AA-1" in text_of(alice.get(f"{address}{following}"))
    assert "No listed serial number matches" in text_of(alice.get(address, {"serial": "zz"}))


def test_the_list_is_exported(cast):
    product = make_listed_product(cast.tenant_a, "SN-1")
    answer = logged_in(cast.vera).get(url("product-export", product.public_id))
    assert b"".join(answer.streaming_content) == b"serial_number,state\r\nSN-1,unused\r\n"
    assert "attachment" in answer["Content-Disposition"] and "no-store" in answer["Cache-Control"]


def test_outsiders_find_no_product(cast, lamp):
    charlie = logged_in(cast.charlie)
    assert "Lamp" not in text_of(charlie.get(url("products")))
    for product_id in (lamp.public_id, no_such_id()):
        assert charlie.get(url("product", product_id)).status_code == 404
        assert charlie.get(url("product-export", product_id)).status_code == 404
        for verb in ("save", "preview", "import", "remove"):
            assert charlie.post(url("product", product_id), {verb: "1"}).status_code == 404
    assert charlie.post(url("products"), {"code": "x", "tenant": str(cast.tenant_a.public_id)}).status_code == 404


@pytest.mark.parametrize("who", ["bob", "vera"])
def test_those_who_are_no_administrators_look_and_change_nothing(cast, lamp, who):
    client = logged_in(getattr(cast, who))
    assert "A new product" not in text_of(client.get(url("products")))
    shown = client.get(url("product", lamp.public_id))
    assert "needs the role admin" in text_of(shown) and b'name="save"' not in shown.content
    assert client.post(url("products"), {"code": "x"}).status_code == 403
    for verb in ("save", "preview", "import", "remove"):
        assert client.post(url("product", lamp.public_id), {verb: "1"}).status_code == 403
    assert Product.objects.count() == 1


def test_a_form_that_asks_for_nothing_is_refused(alice, lamp):
    assert post(alice, lamp).status_code == 400
