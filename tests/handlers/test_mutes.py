"""Muting over HTTP."""


def test_a_chat_is_muted_and_heard_again_without_anybody_else_being_told(served, alice, bob):
    chat = alice.chat(bob)
    served.node.published.clear()
    assert (alice.put(f"/api/chats/{chat}/mute").status, alice.get(f"/api/chats/{chat}").json["muted"]) == (204, True)
    assert bob.get(f"/api/chats/{chat}").json["muted"] is False
    assert alice.get("/api/chats").json["items"][0]["muted"] is True
    assert (alice.delete(f"/api/chats/{chat}/mute").status, alice.get(f"/api/chats/{chat}").json["muted"]) == (
        204,
        False,
    )
    assert served.node.published == []


def test_a_foreign_chat_is_not_there_to_be_muted(alice, bob, carol):
    chat = alice.chat(bob)
    for method in ("PUT", "DELETE"):
        assert carol.request(method, f"/api/chats/{chat}/mute").refusal == (404, "not_found")
