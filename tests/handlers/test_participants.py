"""Who is in a group: adding, removing, leaving."""

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_any_participant_adds_people(served, alice, bob, carol):
    chat = alice.chat(bob)
    served.node.published.clear()
    answer = bob.post(f"/api/chats/{chat}/participants", {"userIds": [carol.id.upper(), carol.id, alice.id]})
    assert (answer.status, answer.seq) == (200, 2)
    assert answer.json["participantIds"] == sorted([alice.id, bob.id, carol.id])
    assert [event.channel for event in served.node.published] == ["chatUpdated"]
    assert carol.get(f"/api/chats/{chat}").status == 200


def test_adding_whom_is_there_changes_nothing(served, alice, bob):
    chat = alice.chat(bob)
    served.node.published.clear()
    answer = alice.post(f"/api/chats/{chat}/participants", {"userIds": [bob.id]})
    assert (answer.status, answer.seq, served.node.published) == (200, None, [])


def test_adding_nobody_or_a_stranger_is_refused(alice, bob):
    path = f"/api/chats/{alice.chat(bob)}/participants"
    assert alice.post(path, {"userIds": []}).refusal == (400, "invalid_value")
    answer = alice.post(path, {"userIds": [NOBODY]})
    assert (*answer.refusal, answer.field) == (404, "not_found", "userIds")


def test_the_owner_removes_anybody_and_nobody_else_does(served, alice, bob, carol):
    chat = alice.chat(bob, carol)
    assert bob.delete(f"/api/chats/{chat}/participants/{carol.id}").refusal == (403, "not_the_owner")
    served.node.published.clear()
    answer = alice.delete(f"/api/chats/{chat}/participants/{carol.id.upper()}")
    assert (answer.status, answer.seq) == (204, 2)
    assert carol.id not in served.node.published[0].data["participantIds"]
    assert carol.get(f"/api/chats/{chat}").refusal == (404, "not_found")
    assert alice.delete(f"/api/chats/{chat}/participants/{carol.id}").refusal == (404, "not_found")


def test_the_longest_there_becomes_owner_after_one_who_left(alice, bob, carol):
    chat = alice.chat(bob)
    alice.post(f"/api/chats/{chat}/participants", {"userIds": [carol.id]})
    assert alice.delete(f"/api/chats/{chat}/participants/{alice.id}").status == 204
    assert carol.get(f"/api/chats/{chat}").json["ownerId"] == bob.id


def test_the_last_one_who_leaves_deletes_the_group(alice):
    chat = alice.chat()
    assert alice.delete(f"/api/chats/{chat}/participants/{alice.id}").status == 204
    assert alice.get(f"/api/chats/{chat}").refusal == (404, "not_found")


def test_a_direct_chat_is_neither_joined_nor_left(alice, bob, carol):
    chat = alice.direct(bob)
    joining = alice.post(f"/api/chats/{chat}/participants", {"userIds": [carol.id]})
    leaving = alice.delete(f"/api/chats/{chat}/participants/{alice.id}")
    assert joining.refusal == leaving.refusal == (409, "direct_chat_is_fixed")


def test_nobody_lets_oneself_in(alice, bob, carol):
    chat = alice.chat(bob)
    for one in (chat, NOBODY, "nonsense"):
        assert carol.post(f"/api/chats/{one}/participants", {"userIds": [carol.id]}).refusal == (404, "not_found")
        assert carol.delete(f"/api/chats/{one}/participants/{bob.id}").refusal == (404, "not_found")
    assert alice.delete(f"/api/chats/{chat}/participants/nonsense").refusal == (404, "not_found")
