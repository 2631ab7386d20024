"""Who a job of Actions is: a token that a cloud's KMS believes, of the repository and environment that the job runs in.

GitHub gives it to jobs with ``id-token: write``, for an audience (docs.github.com, "OpenID Connect reference"). It says
nothing secret of ours, and whoever has it for some minutes is the job: it is neither printed nor put in an address.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import urllib3

from flagseal.model.errors import ForgeError

if TYPE_CHECKING:
    from collections.abc import Mapping

URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 (a variable's name)
_OK: Final = 200
_SECONDS: Final = 20.0


def job_identity(environment: Mapping[str, str], audience: str) -> str:
    """Ask GitHub for the token that says who this job is.

    Args:
        environment: Variables of the job.
        audience: For whom the token is (``sts.amazonaws.com``).

    Raises:
        ForgeError: ``NoIdentity``: this is no such job, or GitHub gives none.
    """
    url, token = environment.get(URL, ""), environment.get(TOKEN, "")
    parts = urlsplit(url)
    if not token or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "127.0.0.1")):
        raise _none("this is no job that may ask who it is")
    try:
        answer = urllib3.request(
            "GET",
            f"{url}&audience={quote(audience, safe='')}",
            headers={"Authorization": f"bearer {token}"},
            timeout=_SECONDS,
            retries=urllib3.Retry(3, redirect=0, backoff_factor=0.5, status_forcelist=(500, 502, 503)),
        )
        found = json.loads(answer.data) if answer.status == _OK else None
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise _none(type(error).__name__) from error
    value = found.get("value") if isinstance(found, dict) else None
    if not isinstance(value, str) or not value.isascii() or value.count(".") != 2:  # noqa: PLR2004 (the parts of a JWT)
        raise _none(f"GitHub answers {answer.status}, without a token")
    return value


def _none(why: str) -> ForgeError:
    return ForgeError(
        f"No identity of this job: {why}.", code="NoIdentity", remedy="Give the job `permissions: id-token: write`."
    )
