"""The kinds that exist only in a cluster: what their schemas take and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from flagseal.model.errors import InvalidDocuments
from flagseal.model.loader import check_resource, load_text, parse_body
from flagseal.model.schema import CLUSTER_SCHEMAS, SCHEMAS
from tests.model.resources import APPROVAL, EVERY_RESOURCE, FREEZE, OVERRIDE, POLICY, REPOSITORY, resource


@pytest.mark.parametrize("body", EVERY_RESOURCE, ids=lambda body: body["kind"])
def test_a_sample_of_each_kind_is_taken(body: dict[str, Any]) -> None:
    """And given back as it was."""
    assert check_resource(body, place="sample") == body


def test_no_kind_is_both_a_document_and_a_resource_of_the_cluster() -> None:
    """The five carry, declare and hold; statements never speak of them."""
    assert set(CLUSTER_SCHEMAS).isdisjoint(SCHEMAS)
    assert {body["kind"] for body in EVERY_RESOURCE} == set(CLUSTER_SCHEMAS)


@pytest.mark.parametrize("body", EVERY_RESOURCE, ids=lambda body: body["kind"])
def test_a_repository_goes_on_refusing_them(body: dict[str, Any]) -> None:
    """A freeze in a pull request is no document."""
    with pytest.raises(InvalidDocuments, match="is not a kind of document"):
        parse_body(body, place="sample")
    assert load_text(f"kind: {body['kind']}\n".encode(), file="x.yaml").findings


SPOILT: list[tuple[str, dict[str, Any], str]] = [
    ("a freeze without an end", resource(FREEZE, until=None), "exactly one of"),
    ("a freeze that ends twice", resource(FREEZE, ends="other"), "exactly one of"),
    ("a freeze without an incident", resource(FREEZE, incident=None), "`incident` is missing"),
    ("a freeze of no namespace", resource(FREEZE, namespaces=[]), "this list is empty"),
    ("an override that does something else", resource(OVERRIDE, action="enable"), "is not one of rollback, freeze"),
    ("an override that does nothing", resource(OVERRIDE, action=None), "action"),
    ("an override of another namespace's flag", resource(OVERRIDE, flag="payments/checkout"), "right form"),
    ("an override until some day", resource(OVERRIDE, until="2026-12-01"), "an instant in UTC"),
    ("an approval that carries nothing", resource(APPROVAL, envelopes=None, documents=None), "at least one of"),
    ("an approval with a document as an object", resource(APPROVAL, documents=[{"kind": "Segment"}]), "must be text"),
    ("a policy that is a flag", resource(POLICY, document={"kind": "FlagDefinition"}), "is not one of Organisation"),
    ("a repository with a say in trust", resource(REPOSITORY, branch="main"), "`branch` is not a field here"),
    ("a repository with a password", resource(REPOSITORY, url="https://me:secret@example.com/x"), "right form"),
    ("a repository that is an option", resource(REPOSITORY, url="--upload-pack=touch /tmp/x"), "right form"),
    ("a repository that is a command", resource(REPOSITORY, url="ext::sh -c whoami"), "right form"),
    ("credentials elsewhere", resource(REPOSITORY, credentials="../other"), "right form"),
    ("a name that is no digest", {**APPROVAL, "metadata": {"name": "abc"}}, "right form"),
    ("a document of a repository", {**APPROVAL, "kind": "Segment"}, "this is none of FlagPolicy"),
]


@pytest.mark.parametrize(("body", "told"), [case[1:] for case in SPOILT], ids=[case[0] for case in SPOILT])
def test_what_is_wrong_is_refused_with_a_reason(body: dict[str, Any], told: str) -> None:
    """Every mistake is named."""
    with pytest.raises(InvalidDocuments) as refused:
        check_resource(body, place="sample")
    assert told in " ".join(finding.message for finding in refused.value.findings)


@pytest.mark.parametrize("number", range(2, 5))
def test_what_does_not_fit_goes_on_in_numbered_objects(number: int) -> None:
    """One digest, several carriers."""
    check_resource({**APPROVAL, "metadata": {"name": f"{'0' * 64}-{number}"}}, place="sample")


@pytest.mark.parametrize("url", ["ssh://git@example.com/acme/flags.git", "git@example.com:acme/flags.git"])
def test_a_repository_may_be_reached_by_ssh(url: str) -> None:
    """In both of the ways that git writes it."""
    check_resource(resource(REPOSITORY, url=url), place="sample")


def test_ending_early_is_the_same_kind_again() -> None:
    """It names what it ends, in place of an end of its own."""
    check_resource(resource(FREEZE, until=None, ends="year-end"), place="sample")
    check_resource(resource(OVERRIDE, until=None, action=None, ends="checkout-down"), place="sample")
