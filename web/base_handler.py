"""What all answers share: security headers, the one error shape, the session of a request, metrics, the access log."""

import ipaddress
import logging
import time
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import orjson
from tornado.httputil import format_timestamp
from tornado.netutil import is_valid_ip
from tornado.web import HTTPError, RequestHandler

import metrics
from chat.accounts import Login
from errors import ParleyError, Refused, Unavailable
from web.request import Request
from web.session_cache import bearer
from web.statuses import STATUSES
from web.tornado_internals import AnswerHeaders, Handler

log = logging.getLogger("parley.http")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SESSION_COOKIE = "parley-session"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

# What Tornado itself refuses with, in our words. Any other status of its own making is our fault.
_CODES_OF_TORNADO = {
    400: "invalid_value",
    403: "not_found",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
}


@cache  # looking a metric up by its labels costs as much as all else that is done with it
def _timer(method, route, status):
    return metrics.request_seconds.labels(method, route, status)


@lru_cache(1)
def _date(second: int) -> str:
    return format_timestamp(second)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The token that a request carries, and whether a browser added it by itself."""

    token: str | None
    by_cookie: bool = False


class Base(Handler):
    """Parent of every handler. `route` is the pattern that the request matched, for logs and metrics."""

    request: Request
    session: Login | None = None
    default_headers = {
        "Server": "Parley",
        "Content-Type": "text/html; charset=UTF-8",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }

    def initialize(self, route: str, **more):
        self.route = route
        self.services.under_way += 1
        super().initialize(**more)

    @cached_property
    def services(self):
        return self.settings["services"]

    def first_headers(self) -> AnswerHeaders:
        headers = AnswerHeaders(self.default_headers, Date=_date(int(time.time())))
        if self.services.node.draining:
            headers["Connection"] = "close"  # a proxy that keeps this connection for more must not use it again
        return headers

    # Who asks

    @property
    def protocol(self) -> str:
        """`http` or `https`, as the client speaks it. Behind a proxy it is the last entry of X-Forwarded-Proto.

        Tornado's own `xheaders` does the same and looks at addresses too, which costs a twentieth of a short request.
        """
        forwarded = self.request.headers.get("X-Forwarded-Proto", "") if self.services.settings.trust_proxy else ""
        last = forwarded.rpartition(",")[2].strip()
        return last if last in ("http", "https") else self.request.protocol

    @property
    def is_secure(self) -> bool:
        return self.protocol == "https"

    @property
    def session_cookie(self) -> str:
        """Behind TLS a name that no subdomain and no plain HTTP can set."""
        return f"__Host-{SESSION_COOKIE}" if self.is_secure else SESSION_COOKIE

    @cached_property
    def credentials(self) -> Credentials:
        """The bearer token, or else the cookie."""
        token = bearer(self.request.headers.get("Authorization", ""))
        if token:
            return Credentials(token)
        token = self.get_cookie(self.session_cookie)
        return Credentials(token or None, bool(token))

    async def find_session(self, *, fresh: bool = False) -> Login | None:
        """The live session of the request's credentials, kept as `self.session`. Raises `Unavailable`."""
        self.session = await self.services.session_cache.get(self.credentials.token, fresh=fresh)
        return self.session

    @property
    def may_watch(self) -> bool:
        """Whether who asks may see the instances and the way of every message: the server's owners, and with `DEMO` everybody."""
        return self.session is not None and (self.session.owner or self.services.settings.demo)

    @property
    def address(self) -> str:
        """What attempts to sign in are counted by: the client's address, of an IPv6 one its /64: one client has it all.

        Behind a proxy it is the last entry of X-Forwarded-For, which our own proxy wrote; the others are claims.
        """
        forwarded = self.request.headers.get("X-Forwarded-For", "") if self.services.settings.trust_proxy else ""
        last = forwarded.rpartition(",")[2].strip()
        text = last if is_valid_ip(last) else self.request.remote_ip
        if not is_valid_ip(text):
            return text
        address = ipaddress.ip_address(text)
        if address.version == 4:
            return text
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))

    def refuse_other_sites(self):
        """Raises `Refused`: xsrf_failed, where a browser says that another site's page sent this."""
        origin = self.request.headers.get("Origin")
        if origin is None:
            return
        if origin.lower() != f"{self.protocol}://{self.request.host}".lower():
            raise Refused("xsrf_failed", field="Origin")

    def check_xsrf(self):
        """Raises `Refused`: xsrf_failed, unless the header repeats the cookie."""
        try:
            self.check_xsrf_cookie()
        except HTTPError:
            raise Refused("xsrf_failed", field="X-Xsrftoken") from None

    def set_cookie(self, name, value, **attributes):  # type: ignore[override]  # attributes by name only
        """Every cookie of ours: this site only, behind TLS only over TLS."""
        super().set_cookie(name, value, **{"path": "/", "samesite": "Lax", "secure": self.is_secure, **attributes})

    def set_session_cookie(self, token: str):
        """Sign the browser in for as long as the session lives unused."""
        self.set_cookie(self.session_cookie, token, httponly=True, expires_days=self.services.settings.session_days)

    # How it is told

    def answer_json(self, body: dict, status: int = 200):
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(orjson.dumps(body))

    def decode_argument(self, value, name=None) -> str:
        return value  # an argument in a path, which `routing` has decoded

    def write_error(self, status_code: int, **details):
        raised = details.get("exc_info", (None, None, None))[1]
        error = raised if isinstance(raised, ParleyError) else ParleyError(self._code_of(status_code))
        status = STATUSES[error.code]
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        if status == 401:
            self.set_header("WWW-Authenticate", "Bearer")
        if status == 405:
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        if error.retry_after:
            self.set_header("Retry-After", str(error.retry_after))
        self.tell(error)

    def tell(self, error: ParleyError):
        """Write an error's body: the error shape, or a page for a browser that shows what it gets."""
        if self.request.path.startswith("/api/") or "text/html" not in self.request.headers.get("Accept", ""):
            self.answer_json(error.body(), STATUSES[error.code])
        else:
            self.set_header("Content-Type", "text/html; charset=utf-8")
            page = self.settings["templates"].get_template("error.html")
            self.finish(page.render(error=error, status=STATUSES[error.code]))

    def _code_of(self, status):
        content_type = self.request.headers.get("Content-Type", "")
        if status == 400 and content_type.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
            return "unsupported_media_type"  # Tornado reads forms before any handler of ours is asked
        return _CODES_OF_TORNADO.get(status, "internal")

    def allowed_methods(self) -> list[str]:
        return [
            method
            for method in METHODS
            if getattr(type(self), method.lower()) is not getattr(RequestHandler, method.lower())
        ]

    def options(self, *path):
        """What may be done here. No other site gets any answer more, so no preflight of theirs succeeds."""
        self.set_header("Allow", ", ".join(self.allowed_methods()))
        self.set_status(204)

    def log_exception(self, kind, value, traceback):
        if isinstance(value, Unavailable):
            log.warning("%s %s: unavailable: %s", self.request.method, self.route, value.why)
        elif not isinstance(value, (ParleyError, HTTPError)):
            log.error("%s %s failed", self.request.method, self.route, exc_info=(kind, value, traceback))

    def on_finish(self):
        self.services.under_way -= 1
        method = self.request.method if self.request.method in METHODS else "other"
        seconds = self.request.request_time()
        _timer(method, self.route, self.get_status()).observe(seconds)
        self.services.access_log.note(
            logging.DEBUG if self.quiet else logging.INFO,
            "%s %s %d %.1f ms user %s",
            method,
            self.route,
            self.get_status(),
            seconds * 1000,
            self.session.user_id if self.session else "-",
        )

    quiet = False  # asked often and by machines: logged at DEBUG


class NotFound(Base):
    """Whatever no route matches."""

    def prepare(self):
        raise Refused("not_found")
