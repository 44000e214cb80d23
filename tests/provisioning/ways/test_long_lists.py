"""Long lists over real HTTP: past the limit of other bodies, and not past their own."""

import httpx

from tests.base import make_product, make_token, unique


def test_over_http_a_long_list_is_let_through_and_a_longer_one_is_not(server, live_cast):
    product = make_product(live_cast.tenant_a)
    headers = {"Authorization": f"Bearer {make_token(live_cast.alice)}", "Content-Type": "text/csv"}
    path = f"{server.url}/api/v1/products/{product.public_id}/serials"
    text = "".join(f"{unique('SN'):<60}\n" for _ in range(40_000))
    assert len(text) > 2 * 1024 * 1024
    answer = httpx.post(f"{path}/import", content=text, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["new"] == 40_000
    export = httpx.get(f"{path}/export", headers=headers, timeout=60)
    assert export.text.count("\r\n") == 40_001
    assert httpx.post(f"{path}/import", content=b"x" * 8_400_000, headers=headers).status_code == 413
    elsewhere = f"{server.url}/api/v1/products"
    assert httpx.post(elsewhere, content=b"x" * 2_000_000, headers=headers).status_code == 413
