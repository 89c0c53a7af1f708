"""The OpenAPI document, built from the table of routes, the operations on its handlers, and the settings."""

import re

from errors import CODES
from version import VERSION
from web.openapi import shapes
from web.openapi.operation import Access, Operation
from web.statuses import STATUSES

METHODS = ("get", "post", "put", "patch", "delete")

_ABOUT = """\
JSON in and out. Browsers sign in with a session cookie and send the cookie `_xsrf` back as the header `X-Xsrftoken` \
with every mutation; programs send `Authorization: Bearer <token>`. Every mutation takes an `Idempotency-Key`: a retry \
with the same key changes nothing and answers as the first time. Foreign and missing ids give the same 404."""

_POSITIVE = {"type": "integer", "minimum": 1}
_HEADERS = {
    "Parley-Seq": {"description": "The seq of the event that this request made in its chat.", "schema": _POSITIVE},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": _POSITIVE},
    "WWW-Authenticate": {"description": "How programs sign in.", "schema": {"type": "string"}},
}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "format": "uuid", "pattern": shapes.UUID},
    "description": "Chosen by the client, one for each mutation; sent again with its retries.",
}


def operations(routes):
    """Every `(path, method, handler, operation)` of a table of `(path, handler)`."""
    for path, handler in routes:
        for method in METHODS:
            declared = getattr(getattr(handler, method), "operation", None)
            if declared is not None:
                yield path, method, handler, declared


def build(routes, settings) -> dict:
    """The document of a table of `(path, handler)`, as JSON-ready objects."""
    parameters = shapes.parameters(settings)
    paths: dict[str, dict] = {}
    responses: dict[str, dict] = {}
    for path, method, handler, declared in operations(routes):
        paths.setdefault(path, {})[method] = _operation(declared, method, path, handler.noun, parameters, responses)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley", "version": VERSION, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": shapes.schemas(settings),
            "responses": responses,
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "parley-session"},
            },
        },
    }


def _operation(declared: Operation, method, path, noun, parameters, responses):
    built: dict[str, object] = {"operationId": declared.id, "summary": declared.summary, "tags": [noun]}
    if declared.description:
        built["description"] = declared.description
    taken = [_path_parameter(name) for name in re.findall(r"{(\w+)}", path)]
    taken += [parameters[name] for name in declared.query]
    if declared.mutation:
        taken.append(_IDEMPOTENCY_KEY)
    if taken:
        built["parameters"] = taken
    if declared.body:
        content = {"application/json": {"schema": shapes.ref(declared.body)}}
        built["requestBody"] = {"required": True, "content": content}
    answers = {str(status): _answer(declared, status, shape) for status, shape in declared.answers.items()}
    built["responses"] = answers | _refusals(declared.refusals(method, path), responses)
    built["security"] = [] if declared.access is Access.PUBLIC else [{"bearer": []}, {"cookie": []}]
    return built


def _path_parameter(name):
    # Any string is taken: what is no id is not found.
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def _answer(declared, status, shape):
    built: dict[str, object] = {"description": "Done." if shape is None else shape}
    if shape is not None:
        built["content"] = {declared.media: {"schema": shapes.ref(shape)}}
    if declared.logged:
        built["headers"] = {"Parley-Seq": {"$ref": "#/components/headers/Parley-Seq"}}
    return built


def _refusals(codes, responses):
    """Responses by status; those with the same codes are one component."""
    by_status: dict[str, list[str]] = {}
    for code in CODES:
        if code in codes:
            by_status.setdefault(str(STATUSES[code]), []).append(code)
    built = {}
    for status, together in by_status.items():
        name = "-or-".join(together)
        responses.setdefault(name, _refusal(status, together))
        built[status] = {"$ref": f"#/components/responses/{name}"}
    return built


def _refusal(status, codes):
    only = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    built = {
        "description": " ".join(f"`{code}`: {CODES[code]}" for code in codes),
        "content": {"application/json": {"schema": {"allOf": [shapes.ref("Error"), only]}}},
    }
    header = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}.get(status)
    if header:
        built["headers"] = {header: {"$ref": f"#/components/headers/{header}"}}
    return built
