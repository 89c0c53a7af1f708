"""What a client of the rig makes of the stream: the same that docs/protocol.md asks of any client."""

from faults.replica import Replica

CHAT = "c"


def replica(head=5, **view):
    made = Replica()
    assert made.apply({"type": "welcome", "epoch": "e", "heads": {CHAT: head}}) == [CHAT]
    made.chats[CHAT].load(
        {
            "head": head,
            "ownerId": "anna",
            "chatType": "group",
            "name": "Two",
            "participantIds": ["anna", "ben"],
            "unreadCount": 1,
            "watermarks": [{"userId": "ben", "messageId": "m1", "seq": 2}],
            **view,
        },
        {"items": [{"id": "m1", "content": "hello", "isEdited": False, "senderId": "anna", "seq": 2}], "next": None},
    )
    return made


def logged(seq, channel="messageAdded", identity="m9", **data):
    return {
        "type": "event",
        "channel": channel,
        "chatId": CHAT,
        "seq": seq,
        "data": {"id": identity, "content": "new", "isEdited": False, "senderId": "anna", **data},
    }


def test_an_event_that_the_snapshot_holds_already_moves_only_the_cursor():
    made = replica(head=5)
    made.cursors[CHAT] = 3
    made.apply(logged(4, "messageUpdated", "m1", content="older than the snapshot"))
    assert made.cursors[CHAT] == 4
    assert made.chats[CHAT].messages["m1"][0] == "hello"


def test_frames_wait_for_the_snapshot():
    made = Replica()
    made.apply({"type": "joined", "chatId": CHAT, "seq": 4})
    made.apply(logged(5))
    chat = made.chats[CHAT]
    assert (made.cursors[CHAT], chat.messages) == (5, {})
    chat.load(
        {
            "head": 4,
            "ownerId": None,
            "chatType": "group",
            "name": None,
            "participantIds": [],
            "unreadCount": 0,
            "watermarks": [],
        },
        {"items": [], "next": None},
    )
    assert list(chat.messages) == ["m9"]


def test_edits_deletions_and_changes_of_the_chat_are_applied():
    made = replica()
    made.apply(logged(6))
    made.apply(logged(7, "messageUpdated", content="edited"))
    assert made.chats[CHAT].view().messages["m9"] == (6, "edited", True)
    made.apply(logged(8, "messageDeleted"))
    made.apply(logged(9, "chatUpdated", CHAT, name="Three", participantIds=["ben", "carl"]))
    view = made.chats[CHAT].view()
    assert (view.messages["m9"], view.name, view.participants) == ((6, "", False), "Three", ["ben", "carl"])


def test_a_chat_of_the_welcome_for_which_no_count_comes_has_none_unread():
    made = replica(head=5)
    made.apply({"type": "welcome", "epoch": "e", "heads": {CHAT: 5}})
    made.apply({"type": "synced", "at": "2026-11-23T10:00:00.000Z"})
    assert made.chats[CHAT].unread == 0
    made.apply({"type": "welcome", "epoch": "e", "heads": {CHAT: 6}})
    made.apply({"type": "state", "chatId": CHAT, "channel": "unreadCountUpdated", "seq": 6, "data": {"unreadCount": 2}})
    made.apply({"type": "synced", "at": "2026-11-23T10:00:01.000Z"})
    assert made.chats[CHAT].unread == 2


def test_a_count_older_than_the_snapshot_is_not_believed_and_a_watermark_never_moves_back():
    made = replica(head=5)
    state = {"type": "state", "chatId": CHAT}
    made.apply({**state, "channel": "unreadCountUpdated", "seq": 4, "data": {"unreadCount": 9}})
    assert made.chats[CHAT].unread == 1
    made.apply({**state, "channel": "unreadCountUpdated", "seq": 5, "data": {"unreadCount": 0}})
    assert made.chats[CHAT].unread == 0
    made.apply({**state, "channel": "messageReadUpdated", "seq": 1, "data": {"userId": "ben"}})
    assert made.chats[CHAT].watermarks["ben"] == 2


def test_a_reset_drops_the_chat_and_a_left_one_is_forgotten():
    made = replica()
    assert made.apply({"type": "reset", "chatId": CHAT, "head": 40, "reason": "behind"}) == [CHAT]
    assert made.hello()["cursors"] == {CHAT: 40}
    assert not made.chats[CHAT].loaded
    made.apply({"type": "left", "chatId": CHAT})
    assert made.hello()["cursors"] == {}


def test_an_event_of_an_unknown_kind_moves_the_cursor_and_nothing_else():
    made = replica()
    before = made.chats[CHAT].view()
    made.apply(logged(6, "rigFlagged"))
    made.apply({**logged(7, "rigFlagged"), "data": None})
    assert made.hello()["cursors"] == {CHAT: 7}
    assert made.chats[CHAT].view() == before


def test_a_chat_is_fetched_anew_where_the_instance_does_not_know_what_the_client_does():
    made = replica()
    assert made.apply({**logged(6), "data": None}) == [CHAT]
    assert made.hello()["cursors"] == {CHAT: 6}
    assert not made.chats[CHAT].loaded


def test_a_projection_does_not_move_the_cursor():
    made = replica()
    made.apply(logged(6, "chatMessageNotification"))
    assert made.hello()["cursors"] == {CHAT: 5}
