"""The contract itself: the OpenAPI document, and the same as a page to read."""

import re

from markupsafe import Markup, escape
from tornado.web import RequestHandler

from web.api_handler import ApiHandler
from web.openapi.operation import Access, operation


def code(text: str) -> Markup:
    """Text whose `names` are marked as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def by_noun(document: dict) -> list[dict]:
    """The operations under their headings, in the document's order."""
    nouns = {}
    for path, operations in document["paths"].items():
        for method, one in operations.items():
            nouns.setdefault(one["tags"][0], []).append({"path": path, "method": method, "operation": one})
    return [{"name": name, "operations": operations} for name, operations in nouns.items()]


class ContractHandler(ApiHandler):
    noun = "Contract"

    default_headers = {**ApiHandler.default_headers, "Cache-Control": "no-cache"}

    def compute_etag(self):
        return RequestHandler.compute_etag(self)


class OpenApi(ContractHandler):
    @operation("openapi", "This document", answers={200: "Document", 304: None}, access=Access.PUBLIC)
    async def get(self):
        self.set_header("Content-Type", "application/json")
        self.finish(self.settings["contract"].text)


class Docs(ContractHandler):
    @operation(
        "docs", "This document as a page", answers={200: "Text", 304: None}, media="text/html", access=Access.PUBLIC
    )
    async def get(self):
        self.set_header("Content-Type", "text/html; charset=utf-8")
        template, document = (
            self.settings["templates"].get_template("api_docs.html"),
            self.settings["contract"].document,
        )
        self.finish(template.render(document=document, nouns=by_noun(document)))
