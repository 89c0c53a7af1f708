"""Requests held against the document: validators compiled from its schemas, their findings told as `invalid_value`."""

import re

import jsonschema_rs
import orjson

from errors import Refused
from web.openapi import document, shapes
from web.openapi.operation import Operation

_INTEGER = re.compile(r"-?[0-9]{1,15}\Z")
_UUID = re.compile(shapes.UUID[:-1] + r"\Z")

_FAULTS = {
    "required": "is missing",
    "additionalProperties": "is not known here",
    "type": "is of the wrong type",
    "enum": "is not one of the known values",
    "minLength": "must have at least {limit} characters",
    "maxLength": "must have at most {limit} characters",
    "minItems": "must have at least {limit} items",
    "maxItems": "must have at most {limit} items",
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "minProperties": "must not be empty",
    "pattern": "is blank or has characters that are not allowed",
    "format": "is not a well-formed {limit}",
    "propertyNames": "has a key that is not allowed",
}


def canonical_uuid(text: str) -> str | None:
    """The id in lower case, or None where the text is no UUID in its usual spelling."""
    return text.lower() if _UUID.match(text) else None


class Schema:
    """One compiled schema of the document."""

    def __init__(self, schema: dict, components: dict):
        self._validator = jsonschema_rs.validator_for({**schema, "components": components}, validate_formats=True)

    def check(self, value):
        """Raises `Refused`: invalid_value with the field at fault, invalid_json where it is nested too deep."""
        try:
            if self._validator.is_valid(value):
                return
            finding = next(self._validator.iter_errors(value))
        except ValueError:
            raise Refused("invalid_json", "The body is nested too deep.") from None
        field = _field(finding)
        fault = _FAULTS.get(finding.kind.name, "is not as documented").format(limit=finding.kind.value)
        raise Refused("invalid_value", f"{field or 'The body'} {fault}.", field)


def _field(finding):
    """The body's field or the parameter at fault; within a field's value there are no names of ours."""
    if finding.instance_path:
        return str(finding.instance_path[0])
    if finding.kind.name == "additionalProperties":
        return finding.kind.unexpected[0][:100]
    if finding.kind.name == "required":
        return finding.kind.property
    return None


class RequestValidator:
    """What one operation demands of a request."""

    def __init__(self, declared: Operation, parameters: dict, components: dict):
        self._body = Schema(shapes.ref(declared.body), components) if declared.body else None
        shape = components["schemas"][declared.body]["properties"] if declared.body else {}
        self._secrets = {name for name, schema in shape.items() if schema.get("format") == "password"}
        known = [parameters[key] for key in declared.query]
        taken = {one["name"]: one["schema"] for one in known}
        self._integers = {name for name, schema in taken.items() if schema["type"] == "integer"}
        self._ids = {name for name, schema in taken.items() if schema.get("format") == "uuid"}
        self._defaults = {name: schema["default"] for name, schema in taken.items() if "default" in schema}
        self._query = Schema(
            {
                "type": "object",
                "properties": taken,
                "additionalProperties": False,
                "required": [one["name"] for one in known if one["required"]],
            },
            components,
        )

    def body(self, text: bytes):
        """The parsed body. Raises `Refused`: invalid_json, invalid_value."""
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Refused("invalid_json") from None
        assert self._body is not None, "the operation declares no body"
        self._body.check(value)
        return value

    def without_secrets(self, body: dict | None) -> dict | None:
        """The body without passwords: of what is kept of it, they must not be guessed."""
        return body and {name: value for name, value in body.items() if name not in self._secrets}

    def query(self, pairs: list[tuple[str, str]]) -> dict:
        """The parameters by name: numbers as numbers, ids in lower case, defaults filled in.

        Raises `Refused`: invalid_value.
        """
        values = dict(self._defaults)
        seen = set()
        for name, text in pairs:
            if name in seen:
                raise Refused("invalid_value", f"{name[:100]} is given twice.", name[:100])
            seen.add(name)
            values[name] = int(text) if name in self._integers and _INTEGER.match(text) else text
        self._query.check(values)
        return {name: value.lower() if name in self._ids else value for name, value in values.items()}


class Contract:
    """The document and every operation's validator, made once from the table of routes."""

    def __init__(self, routes, settings):
        self.document = document.build(routes, settings)
        self.text = orjson.dumps(self.document)
        components = {"schemas": self.document["components"]["schemas"]}
        parameters = shapes.parameters(settings)
        self._validators = {
            one.id: RequestValidator(one, parameters, components) for _, _, _, one in document.operations(routes)
        }

    def validator(self, declared: Operation) -> RequestValidator:
        return self._validators[declared.id]
