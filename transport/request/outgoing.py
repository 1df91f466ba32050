"""What a client checks before it sends a request: whether any server would accept it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from transport.message import Problem, is_action_name, is_id, is_tenant_name

MOST_ID, MOST_ACTION, MOST_TOKEN = 64, 128, 512
"""Characters."""

FIELDS: Final = frozenset({"id", "tenant", "action", "params", "token"})


def problems_with(fields: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with a request of FIELDS, each given or None; nothing if a server would accept it.

    The model that says what is wrong takes a tenth of a second to import. So it is asked about what is not
    plainly right alone.
    """
    if _is_plainly_right(**fields):
        return []
    from pydantic import ValidationError

    from transport.request.model import Request, problems_of

    try:
        Request.model_validate(fields)
    except ValidationError as error:
        return problems_of(error)
    return []


def _is_plainly_right(id: Any, tenant: Any, action: Any, params: Any, token: Any) -> bool:
    return (
        (type(id) is str and 0 < len(id) <= MOST_ID and is_id(id))
        and (tenant is None or (type(tenant) is str and is_tenant_name(tenant)))
        and (type(action) is str and len(action) <= MOST_ACTION and is_action_name(action))
        and (type(params) is dict and all(type(name) is str for name in params))
        and (token is None or (type(token) is str and len(token) <= MOST_TOKEN))
    )
