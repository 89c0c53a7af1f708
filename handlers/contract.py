"""The contract itself: the OpenAPI document, and the same as a page to read."""

import re

from markupsafe import Markup, escape
from tornado.web import RequestHandler

from handlers.api import ApiHandler
from handlers.openapi.operation import Access, operation


def code(text: str) -> Markup:
    """Text whose `names` are marked as code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


class ContractHandler(ApiHandler):
    noun = "Contract"

    def set_default_headers(self):
        super().set_default_headers()
        self.set_header("Cache-Control", "no-cache")

    def compute_etag(self):
        return RequestHandler.compute_etag(self)


class OpenApi(ContractHandler):
    @operation("openapi", "This document", answers={200: "Document", 304: None}, access=Access.PUBLIC)
    async def get(self):
        self.set_header("Content-Type", "application/json")
        self.finish(self.settings["contract"].text)


class Docs(ContractHandler):
    @operation("docs", "This document as a page", answers={200: "Text", 304: None}, access=Access.PUBLIC, media="text/html")
    async def get(self):
        self.set_header("Content-Type", "text/html; charset=utf-8")
        template = self.settings["templates"].get_template("api_docs.html")
        self.finish(template.render(document=self.settings["contract"].document))
