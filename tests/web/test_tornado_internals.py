"""Tornado's private names that `web/tornado_internals.py` leans on are there, and mean what they did."""

import ast
import inspect
import textwrap

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from web import tornado_internals


def names(function, *, of="self") -> set[str]:
    """The private attributes of a name that a function's source reads or sets."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and ast.unparse(node.value) == of
    }


def test_clearing_an_answer_sets_what_ours_sets():
    assert names(RequestHandler.clear) == {"_headers", "_write_buffer", "_status_code", "_reason"}
    assert names(tornado_internals.Handler.clear) == names(RequestHandler.clear)


def test_a_header_is_an_entry_of_the_headers():
    assert names(RequestHandler.set_header) == {"_headers", "_convert_header_value"}
    assert names(RequestHandler.add_header) == {"_headers", "_convert_header_value"}
    assert names(RequestHandler.clear_header) == {"_headers"}


def test_headers_are_asked_for_nothing_that_ours_cannot_do():
    """Of them all: item access, `in`, `add`, and `get` with a name that `str.title` makes."""
    tree = ast.parse(inspect.getsource(RequestHandler))
    asked = {
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self._headers"
    }  # fmt: skip
    assert asked == {"self._headers.add", "self._headers.get"}
    literal = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._headers.get"
    ] + [
        node.left.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Constant)
        and ast.unparse(node.comparators[0]) == "self._headers"
    ]
    assert literal and all(name == name.title() for name in literal)


def test_a_handler_is_run_by_one_coroutine_that_takes_transforms_and_the_paths_arguments():
    parameters = list(inspect.signature(RequestHandler._execute).parameters.values())
    assert [parameter.name for parameter in parameters] == ["self", "transforms", "args", "kwargs"]
    assert parameters[2].kind is inspect.Parameter.VAR_POSITIONAL
    assert inspect.iscoroutinefunction(RequestHandler._execute)
    assert names(RequestHandler._execute, of="self.request") == {"_parse_body", "_body_future"}


def test_a_requests_form_is_looked_for_in_one_method():
    assert list(inspect.signature(HTTPServerRequest._parse_body).parameters) == ["self"]
