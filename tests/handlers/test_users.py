"""Listing and searching the people of a server."""

import uuid

import pytest


@pytest.fixture(scope="module")
def people(served):
    return [served.user(f"person-{letter}") for letter in "abcde"]


def names(answer):
    return [user["username"] for user in answer.json["items"]]


def test_users_are_listed_by_name_in_pages(served, people):
    reader = people[0]
    first = reader.get("/api/users?q=person&limit=2")
    assert names(first) == ["person-a", "person-b"]
    second = reader.get(f"/api/users?q=person&limit=2&after={first.json['next'].upper()}")
    third = reader.get(f"/api/users?q=person&limit=2&after={second.json['next']}")
    assert names(second) + names(third) == ["person-c", "person-d", "person-e"]
    assert third.json["next"] is None


def test_a_search_takes_wildcards_for_what_they_are(people):
    assert names(people[0].get("/api/users?q=%25")) == []
    assert names(people[0].get("/api/users?q=person_a")) == []
    assert names(people[0].get("/api/users?q=%20PERSON-A%20")) == ["person-a"]


def test_one_user_is_found_by_id_in_any_case(people):
    answer = people[0].get(f"/api/users/{people[1].id.upper()}")
    assert answer.json == {name: value for name, value in people[1].user.items() if name != "isOwner"}


def test_a_user_that_is_not_there_is_not_found(people):
    for missing in (uuid.uuid4(), "nonsense", "%ff", "%00"):
        assert people[0].get(f"/api/users/{missing}").refusal == (404, "not_found")
