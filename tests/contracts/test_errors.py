"""The error codes: the table in docs/api.md, errors.py, web/statuses.py and the OpenAPI document say the same, and the code raises no other."""

import re
from pathlib import Path

import pytest

import settings
from errors import CODES, Refused, Unavailable
from handlers.application import ROUTES
from web.openapi import document
from web.statuses import STATUSES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built():
    return document.build(ROUTES, settings.load({}))


def test_the_table_of_the_docs_has_every_code_with_its_status():
    table = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("## Error codes")[2]
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", table, re.MULTILINE)
    assert {code: int(status) for code, status in rows} == STATUSES
    assert len(rows) == len(CODES)


def test_the_document_has_every_code(built):
    schema = built["components"]["schemas"]["Error"]["properties"]["error"]
    assert schema["properties"]["code"]["enum"] == list(CODES)
    assert schema["required"] == ["code", "message", "field"]


def test_every_code_is_described_where_it_is_given_under_its_status(built):
    given = set()
    for operations in built["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if "$ref" in response:
                    found = built["components"]["responses"][response["$ref"].rpartition("/")[2]]
                    _, only = found["content"]["application/json"]["schema"]["allOf"]
                    codes = only["properties"]["error"]["properties"]["code"]["enum"]
                    assert {STATUSES[code] for code in codes} == {int(status)}
                    given |= set(codes)
    # Only an address without the method can answer these, and then there is no operation to describe them.
    assert given == CODES.keys() - {"method_not_allowed", "method_unknown"}


def test_every_code_that_is_raised_anywhere_is_a_code_and_every_code_is_raised():
    raised = set(re.findall(r"refuse\('(\w+)'", (ROOT / "schema.sql").read_text(encoding="utf-8")))
    folders = ("store", "chat", "realtime", "web", "handlers")
    for file in [path for folder in folders for path in (ROOT / folder).rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        raised |= set(re.findall(r"Refused\(\s*\"(\w+)\"", text))
    assert raised <= CODES.keys()
    others = {"internal", "unavailable", "method_not_allowed"}  # of the handlers' own making, and Unavailable
    assert raised | others == CODES.keys()


def test_an_error_is_told_in_the_one_shape():
    assert Refused("not_found", field="userId").body() == {
        "error": {"code": "not_found", "message": CODES["not_found"], "field": "userId"}
    }
    assert Unavailable("the reason is for the log").body()["error"] == {
        "code": "unavailable",
        "message": CODES["unavailable"],
        "field": None,
    }
