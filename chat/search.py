"""Search in one's own chats: PostgreSQL's full text in the configuration `simple`, newest first.

`simple` takes words as they are written, but for upper and lower case: a server's chats are in no one language, and stemming or stop
words of the wrong one hide what is there. That words are found while they are typed makes up for it: the last one may go on.
"""

import re
import secrets

from chat import chats, payloads
from chat.message import Message
from errors import Refused, Unavailable
from store.database import array

_TOKEN = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


def parse(text: str) -> list[tuple[str, str, bool]]:
    """`(kind, words, wanted)` for each part of a search; kinds: `phrase`, `words`, and `prefix` for a last word, unless it is one letter and nothing else.

    `tea "with milk" -sugar le` → tea, the phrase, le…, and not sugar. Raises `Refused`: invalid_value where nothing is wanted.
    """
    parts = [
        ("phrase" if word == "" else "words", phrase or word, minus == "")
        for minus, phrase, word in _TOKEN.findall(text)
        if phrase or word
    ]
    if not any(wanted for _, _, wanted in parts):
        raise Refused("invalid_value", "Give at least one word to look for.", "q")
    kind, last, wanted = parts[-1]
    if kind == "words" and wanted and (len(last) > 1 or len(parts) > 1):
        parts[-1] = ("prefix", last, True)
    return parts


_QUERIES = {
    "phrase": "phraseto_tsquery('simple', %s)",
    "words": "plainto_tsquery('simple', %s)",
    "prefix": "to_tsquery('simple', %s)",
}


def _query(parts):
    """The SQL of a tsquery, and its parameters."""
    terms = " && ".join(("" if wanted else "!! ") + _QUERIES[kind] for kind, _, wanted in parts)
    return terms, [_prefix(words) if kind == "prefix" else words for kind, words, _ in parts]


def _prefix(word):
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "':*"


async def page(
    db, actor: str, text: str, *, chat_id: str | None = None, before: str | None = None, limit: int = 20
) -> dict:
    """A page of Hits, newest first, from all chats of the actor or from one; `next` is a message's id.

    Raises `Refused`: invalid_value (no word to look for), not_found (the chat or the message before), search_too_broad.
    """
    terms, words = _query(parse(text))
    mark = secrets.token_hex(8)  # nobody can have written it
    start, stop = mark + "a", mark + "z"
    marking = f"StartSel={start}, StopSel={stop}, HighlightAll=true"
    try:
        rows = await db.rows(
            f"select *, null::timestamptz as deleted_at from search_messages(%s, {terms}, %s, %s, %s, %s)",
            actor,
            *words,
            marking,
            chat_id,
            before,
            limit + 1,
        )
    except Unavailable as error:
        if error.why == "statement_timeout":
            raise Refused("search_too_broad") from error
        raise
    if not rows:
        await _check(db, actor, chat_id, before)
    items = [payloads.hit(Message.of(row), highlights(row.marked, start, stop)) for row in rows[:limit]]
    return payloads.page(items, items[-1]["message"]["id"] if len(rows) > limit else None)


async def index(db, positions: dict[str, int], limit: int) -> dict[str, int]:
    """Put the words of new messages where a search finds them: up to `limit` of each chat after its position. Answers the new positions.

    A chat's position is a seq: what was sent up to it is indexed. It is the chat's head once nothing is left. As often as you like.
    """
    rows = await db.rows(
        "select * from index_messages(%s::uuid[], %s::bigint[], %s)",
        array(positions),
        array(positions.values()),
        limit,
    )
    return {row.chat_id: row.indexed_seq for row in rows}


async def _check(db, actor, chat_id, before):
    if chat_id and not await chats.is_participant(db, actor, chat_id):
        raise Refused("not_found", field="chatId")
    if before and not await db.rows(
        "select from messages m join participants p on p.chat_id = m.chat_id and p.user_id = %s where m.id = %s",
        actor,
        before,
    ):
        raise Refused("not_found", field="before")


def highlights(marked: str, start: str, stop: str) -> list[list[int]]:
    """`[start, end]` of each marked part, in UTF-16 code units of the text without the marks: what JavaScript's `slice` takes."""
    found, position = [], 0
    for piece in re.split(f"({start}|{stop})", marked):
        if piece == start:
            found.append([position])
        elif piece == stop:
            found[-1].append(position)
        else:
            position += len(piece.encode("utf-16-le", "surrogatepass")) // 2
    return found
