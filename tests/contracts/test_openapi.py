"""The OpenAPI document against the real routes, the real limits and docs/api.md."""

import re
from pathlib import Path

import jsonschema_rs
import pytest
from tornado.web import RequestHandler

import settings
from handlers.application import ROUTES
from tests.handlers.served import METHODS, Served
from web.api_handler import ApiHandler
from web.openapi import document

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
# What no OpenAPI document can describe, or no program would call.
UNDESCRIBED = {
    "/ws",
    "/ws/activity",
    "/activity",
    "/",
    "/chats/{chatId}",
    "/chats/{chatId}/messages/{messageId}",
    "/sign-in",
    "/sign-up",
    "/join/{token}",
    "/settings",
    "/favicon.ico",
    "/static/{file:path}",
}


@pytest.fixture(scope="module")
def built():
    return document.build(ROUTES, settings.load({}))


@pytest.fixture(scope="module")
def served(new_database, valkey):
    served = Served(new_database(), valkey.url)
    yield served
    served.stop()


def test_the_document_served_is_the_one_built(served, built):
    answer = served.client().get("/api/openapi.json")
    assert answer.json == document.build(ROUTES, served.settings)
    again = served.client().get("/api/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_every_route_is_described_or_known_not_to_be(built):
    routes = {path for path, _ in ROUTES}
    assert len(routes) == len(ROUTES)
    assert routes == built["paths"].keys() | UNDESCRIBED
    assert not built["paths"].keys() & UNDESCRIBED


def test_every_method_of_a_described_route_is_described(built):
    for path, handler in ROUTES:
        if path in UNDESCRIBED:
            assert not issubclass(handler, ApiHandler)
            continue
        implemented = {
            name.lower()
            for name in METHODS
            if getattr(handler, name.lower()) is not getattr(RequestHandler, name.lower())
        }
        assert implemented == built["paths"][path].keys(), path


def test_the_server_takes_exactly_the_described_methods(served, built):
    for template, operations in built["paths"].items():
        path = re.sub("{[^}]*}", "00000000-0000-4000-8000-000000000000", template)
        for method in METHODS:
            answer = served.client().request(method, path)
            described = method.lower() in operations
            assert (answer.status == 405) is not described, f"{method} {path}: {answer.status}"
            assert described or answer.code == "method_not_allowed"


def test_who_is_not_signed_in_gets_401_exactly_where_the_document_asks_for_a_session(served, built):
    for template, operations in built["paths"].items():
        path = re.sub("{[^}]*}", "00000000-0000-4000-8000-000000000000", template)
        for method, operation in operations.items():
            answer = served.client().request(method.upper(), path)
            assert (answer.status == 401) is bool(operation["security"]), f"{method} {path}"


def test_every_operation_has_a_name_of_its_own(built):
    ids = [one["operationId"] for operations in built["paths"].values() for one in operations.values()]
    assert len(set(ids)) == len(ids)


def references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_somewhere_and_every_component_is_referred_to(built):
    found = set(references(built))
    components = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in built["components"][kind]
    }
    assert found == components


def test_every_schema_is_a_json_schema(built):
    for name, schema in built["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name


def test_every_body_says_what_it_takes_and_nothing_else(built):
    bodies = {
        one["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for operations in built["paths"].values()
        for one in operations.values()
        if "requestBody" in one
    }
    for name in bodies:
        # Who comes back may be of a later release than the instance: what it asks for in vain is passed over.
        assert built["components"]["schemas"][name]["additionalProperties"] is (name == "SyncRequest")


def test_the_limits_of_the_settings_are_in_the_document():
    other = settings.load(
        {"MAX_MESSAGE_CHARS": "123", "MAX_NAME_CHARS": "45", "MAX_DESCRIPTION_CHARS": "67", "MAX_PARTICIPANTS": "8"}
    )
    schemas = document.build(ROUTES, other)["components"]["schemas"]
    assert schemas["MessageText"]["properties"]["content"]["maxLength"] == 123
    assert schemas["NewChat"]["properties"]["name"]["maxLength"] == 45
    assert schemas["NewAccount"]["properties"]["username"]["maxLength"] == 45
    assert schemas["NewChat"]["properties"]["description"]["maxLength"] == 67
    assert schemas["NewParticipants"]["properties"]["userIds"]["maxItems"] == 8


# docs/api.md


def anonymous(path):
    return re.sub("{[^}]*}", "{}", path)


def test_the_overview_lists_every_operation_of_the_api(built):
    text = DOCS.read_text(encoding="utf-8")
    listed = {}
    for row in re.findall(r"^\| (`(?:GET|POST|PUT|PATCH|DELETE) .*)$", text, re.MULTILINE):
        for method, path, query in re.findall(r"`(GET|POST|PUT|PATCH|DELETE) ([^?`]*)(?:\?([^`]*))?`", row):
            listed[method, anonymous(path)] = set(re.findall(r"(\w+)=", query))
    described = {
        (method.upper(), anonymous(path)): {
            one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"
        }
        for path, operations in built["paths"].items()
        if path.startswith("/api/")
        for method, operation in operations.items()
    }
    assert listed == described


@pytest.mark.parametrize(
    "shape, bases",
    [
        ("User", ()),
        ("Me", ("User",)),
        ("Session", ()),
        ("Invitation", ()),
        ("Message", ()),
        ("Chat", ()),
        ("ChatView", ("Chat",)),
        ("ChatDetail", ("Chat", "ChatView")),
    ],
)
def test_the_overview_names_every_field_of_a_shape(built, shape, bases):
    text = DOCS.read_text(encoding="utf-8").partition("## Shapes")[2].partition("##")[0]
    told = {}
    for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        name = re.match(r"\*\*(\w+)\*\*", item)
        if name:
            told[name[1]] = set(re.findall(r"\b(\w+)\b", item))
    told["ChatDetail"] = told["ChatView"]
    words = set().union(*(told[name] for name in (shape, *bases)))
    assert built["components"]["schemas"][shape]["properties"].keys() <= words
