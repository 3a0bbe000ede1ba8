import pytest
from pydantic import TypeAdapter, ValidationError

from services.common.config.urls import HttpUrl

URL = TypeAdapter(HttpUrl)


@pytest.mark.parametrize("url", ["http://kibana:5601", "https://[::1]:5601/s/desk", "http://127.0.0.1"])
def test_a_url_is_taken_as_it_is_but_for_a_slash_at_its_end(url: str) -> None:
    assert URL.validate_python(url) == url
    assert URL.validate_python(f"{url}/") == url


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:5601", "kibana", "ftp://kibana", "http://", "http://[", "http://h:x", "javascript:alert(1)"],
)
def test_what_is_no_url_of_a_web_server_is_rejected(url: str) -> None:
    with pytest.raises(ValidationError, match="it is not an http or https URL"):
        URL.validate_python(url)


@pytest.mark.parametrize(
    "url",
    ["http://u:p@kibana", "http://u@kibana", "u:p@kibana:5601", "http://u:p/w@kibana", "http://u:p#w@k"],
)
def test_a_url_with_a_user_or_password_is_rejected_however_it_is_written(url: str) -> None:
    with pytest.raises(ValidationError, match="it contains a user or password"):
        URL.validate_python(url)
