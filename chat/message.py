"""A Message: the one shape in which the database answers it and payloads render it. `message_of` in schema.sql is its SQL side."""

from dataclasses import dataclass
from datetime import datetime

# Of `messages m`, in a select list.
COLUMNS = "(message_of(m)).*"


@dataclass(slots=True)
class Message:
    """Ids are strings, times aware datetimes. A deleted one has an empty content, and `deleted_at` alone says that it is deleted."""

    id: str
    chat_id: str
    seq: int  # of its messageAdded
    sender_id: str
    content: str
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None

    @classmethod
    def of(cls, row) -> "Message":
        """From a row that has the columns of `message`, among others."""
        return cls(
            row.id,
            row.chat_id,
            row.seq,
            row.sender_id,
            row.content,
            row.created_at,
            row.edited_at,
            row.deleted_at,
        )

    @classmethod
    def of_json(cls, fields: dict) -> "Message":
        """From what `to_json` makes of one."""
        return cls(
            fields["id"],
            fields["chat_id"],
            fields["seq"],
            fields["sender_id"],
            fields["content"],
            datetime.fromisoformat(fields["created_at"]),
            _moment(fields["edited_at"]),
            _moment(fields["deleted_at"]),
        )


def _moment(text):
    return text and datetime.fromisoformat(text)
