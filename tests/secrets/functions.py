"""Functions that talk about what they were given, in each way that `how` names."""

from __future__ import annotations

import logging
import sys
from typing import Any

from actors.errors import FailedPrecondition
from actors.tenant.context import Context


def put(ctx: Context, params: Any) -> dict[str, Any]:
    """Keep quiet, or tell everybody."""
    secrets = [value for name, value in params.model_dump().items() if name not in ("how", "note")]
    match params.how:
        case "refuse":
            raise FailedPrecondition(f"not with {secrets}")
        case "fail":
            raise RuntimeError(f"cannot take {secrets!r}")
        case "exit":
            sys.exit(f"over {secrets!r}")
        case "chain":
            try:
                raise KeyError(params.pin)
            except KeyError as error:
                raise ValueError("as said before") from error
        case "log":
            logging.getLogger("a.library").warning("token=%s", "hunter2-XYZZY-logged")
    return {}
