"""What the double can besides: issues, comments and teams, as GitHub describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from tests.forge.server import TOKEN
from tests.forge.world import company

if TYPE_CHECKING:
    from pathlib import Path


def test_issues_and_comments_are_kept(tmp_path: Path) -> None:
    """Opened, commented, the comment written anew, and read back; GitHub's description allows all of it."""
    with company(tmp_path) as world:
        client = httpx.Client(base_url=world.server.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        issue = client.post("/repos/acme/flags/issues", json={"title": "Review", "body": "What happened?"}).json()
        where = f"/repos/acme/flags/issues/{issue['number']}/comments"
        comment = client.post(where, json={"body": "first"}).json()
        client.patch(f"/repos/acme/flags/issues/comments/{comment['id']}", json={"body": "second"})
        assert [entry["body"] for entry in client.get(where).json()] == ["second"]


def test_teams_have_members(tmp_path: Path) -> None:
    """By organisation and team; a team that is not there is not found, and a stranger is told nothing."""
    with company(tmp_path) as world:
        world.github.teams["acme/team-payments"] = [world.user("alice")]
        client = httpx.Client(base_url=world.server.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        members = client.get("/orgs/acme/teams/team-payments/members").json()
        assert [member["login"] for member in members] == ["alice-gh"]
        assert client.get("/orgs/acme/teams/nobody/members").status_code == 404
        assert httpx.get(f"{world.server.url}/orgs/acme/teams/team-payments/members", timeout=60).status_code == 401
