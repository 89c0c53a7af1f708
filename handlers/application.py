"""The application: its services, its one table of routes, and what the handlers share."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from chat.accounts import Accounts
from handlers import (
    accounts,
    activity,
    api_docs,
    chats,
    demo,
    health,
    invitations,
    messages,
    mutes,
    pages,
    participants,
    reads,
    search,
    sessions,
    static,
    stream,
    sync,
    unread,
    users,
)
from store.database import Database
from version import VERSION
from web.access_log import AccessLog
from web.base_handler import NotFound
from web.heartbeat import Heartbeat
from web.openapi.request_validator import Contract
from web.rate_limiter import RateLimiter
from web.routing import Routed
from web.session_cache import SessionCache

if TYPE_CHECKING:
    from realtime.node import Node

TEMPLATES = Path(__file__).parent.parent / "templates"

ROUTES = (
    ("/api/sign-up", accounts.SignUp),
    ("/api/sign-in", accounts.SignIn),
    ("/api/sign-out", accounts.SignOut),
    ("/api/me", accounts.Me),
    ("/api/me/password", accounts.Password),
    ("/api/sessions", sessions.OwnSessions),
    ("/api/sessions/{sessionId}", sessions.OwnSession),
    ("/api/invitations", invitations.Invitations),
    ("/api/invitations/{invitationId}", invitations.Invitation),
    ("/api/users", users.Users),
    ("/api/users/{userId}", users.User),
    ("/api/chats", chats.Chats),
    ("/api/chats/{chatId}", chats.Chat),
    ("/api/chats/{chatId}/participants", participants.Participants),
    ("/api/chats/{chatId}/participants/{userId}", participants.Participant),
    ("/api/chats/{chatId}/messages", messages.Messages),
    ("/api/chats/{chatId}/mute", mutes.Mute),
    ("/api/messages/{messageId}", messages.Message),
    ("/api/messages/{messageId}/read", reads.Read),
    ("/api/messages/{messageId}/reads", reads.Reads),
    ("/api/search", search.Search),
    ("/api/unread", unread.UnreadChats),
    ("/api/unread/{chatId}", unread.UnreadChat),
    ("/api/sync", sync.Sync),
    ("/api/demo/break", demo.Break),
    ("/api/openapi.json", api_docs.OpenApi),
    ("/api/docs", api_docs.Docs),
    ("/healthz", health.Healthz),
    ("/readyz", health.Readyz),
    ("/metrics", health.Metrics),
    ("/ws", stream.StreamHandler),
    ("/ws/activity", activity.ActivityStream),
    ("/activity", activity.Activity),
    ("/", pages.App),
    ("/chats/{chatId}", pages.App),
    ("/chats/{chatId}/messages/{messageId}", pages.App),
    ("/sign-in", pages.SignIn),
    ("/sign-up", pages.SignUp),
    ("/join/{token}", pages.Join),
    ("/settings", pages.App),
    ("/favicon.ico", static.Favicon),
    ("/static/{file:path}", static.StaticFile),
)


@dataclass
class Services:
    """What the handlers are given: everything that one instance is made of."""

    settings: SimpleNamespace  # of settings.load()
    db: Database
    accounts: Accounts
    node: "Node"
    session_cache: SessionCache = field(init=False)
    rate_limiter: RateLimiter = field(init=False)
    access_log: AccessLog = field(init=False, default_factory=AccessLog)
    searches: asyncio.Semaphore = field(
        init=False
    )  # the turns of searches, so that sending always finds a free connection
    searchers: Counter = field(init=False, default_factory=Counter)  # user → searches under way or waiting
    under_way: int = field(init=False, default=0)  # requests that are not answered yet; open sockets do not count

    def __post_init__(self):
        self.session_cache = self.node.remembered = SessionCache(self.accounts)
        self.searches = asyncio.Semaphore(self.settings.searches_at_once)
        per_second = self.settings.mutations_per_second
        self.rate_limiter = RateLimiter(per_second, 2 * per_second)


def make_application(services: Services) -> Routed:
    """The Tornado application of one instance."""
    static_files = static.StaticFiles(static.ROOT)
    return Routed(
        ROUTES,
        NotFound,
        log_function=lambda handler: None,  # web.base_handler logs
        services=services,
        contract=Contract(ROUTES, services.settings),
        static_files=static_files,
        templates=_templates(static_files),
        heartbeat=Heartbeat(services.settings.ping_seconds),
    )


def _templates(static_files):
    templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    templates.globals.update(static_url=static_files.url, modules=static_files.modules, version=VERSION)
    templates.filters["code"] = api_docs.code
    return templates
