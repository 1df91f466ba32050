"""Short words for actions: what an operator would guess. A word stands for one action and its first values.

The table is all there is to a word: it has no code of its own, and an action needs no word to be called.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

TENANT = "TENANT"
"""The slot of a tenant's name; by default the one in the prompt."""


class Slot(NamedTuple):
    """One value that is given by its place."""

    name: str
    """TENANT, a param, or `param@param` for two in one word."""
    optional: bool

    def __str__(self) -> str:
        return f"[{self.name}]" if self.optional else self.name


class Alias(NamedTuple):
    """One word."""

    word: str
    action: str
    slots: tuple[Slot, ...]
    example: str
    fixed: Mapping[str, Any]
    """Params that the word itself says."""

    @property
    def usage(self) -> str:
        """The word with its slots, as help shows it."""
        return " ".join([self.word, *map(str, self.slots)])

    @property
    def takes_tenant(self) -> bool:
        """Whether it is about a tenant."""
        return any(slot.name == TENANT for slot in self.slots)


def _alias(word: str, action: str, slots: str, example: str = "", **fixed: Any) -> Alias:
    parsed = tuple(
        Slot(each.strip("[]"), optional=each.startswith("[")) for each in slots.split() if each
    )
    return Alias(word, action, parsed, example or word, MappingProxyType(fixed))


ALIASES: Mapping[str, Alias] = MappingProxyType(
    {
        each.word: each
        for each in (
            _alias("tenants", "tenants.list", ""),
            _alias("tenant", "tenants.show", "TENANT", "tenant acme"),
            _alias("unserved", "tenants.unserved", ""),
            _alias("create", "tenants.create", "name owner.name", "create acme 'Ada Lovelace'"),
            _alias("suspend", "tenants.suspend", "TENANT reason", "suspend acme 'unpaid'"),
            _alias("resume", "tenants.resume", "TENANT", "resume acme"),
            _alias("delete", "tenants.delete", "TENANT reason", "delete acme 'they left'"),
            _alias("owners", "owners.list", "TENANT", "owners acme"),
            _alias("members", "members.list", "TENANT", "members acme"),
            _alias("tokens", "tokens.list", "TENANT", "tokens acme"),
            _alias("revoke", "tokens.revoke", "TENANT token", "revoke acme t_4f1c22ab90de7731"),
            _alias("intent", "intent.list", "[TENANT]", "intent acme"),
            _alias("clear", "intent.clear", "[TENANT] token", "clear acme t_4f1c22ab90de7731"),
            _alias("config", "config.show", "TENANT", "config acme"),
            _alias("limits", "limits.show", "TENANT", "limits acme"),
            _alias("limit", "limits.set", "TENANT", "limit acme requests_per_second=50"),
            _alias("subscriptions", "subscriptions.list", "TENANT", "subscriptions acme"),
            _alias("developers", "developers.list", ""),
            _alias("functions", "functions.list", "[prefix]", "functions contacts."),
            _alias("function", "functions.show", "function", "function contacts.add"),
            _alias("todo", "functions.todo", ""),
            _alias("moves", "functions.history", "function", "moves contacts.add"),
            _alias(
                "move",
                "functions.move",
                "function@version to why",
                "move contacts.add@2 release 'merges notes, too'",
            ),
            _alias("diff", "functions.diff", "[function]", "diff contacts.add"),
            _alias("reload", "functions.reload", "[digest]", "reload 9f86d081"),
            _alias("releases", "releases.list", ""),
            _alias("release", "releases.show", "release", "release shop-7"),
            _alias("requests", "requests.list", "[TENANT]", "requests state=open sort=votes"),
            _alias("request", "requests.show", "request", "request R-12"),
            _alias("submit", "requests.submit", "TENANT text", "submit acme 'Export contacts'"),
            _alias("answer", "requests.answer", "request text", "answer R-12 'Which columns?'"),
            _alias("link", "requests.link", "request function@version", "link R-12 contacts.add@2"),
            _alias(
                "unlink",
                "requests.unlink",
                "request function@version",
                "unlink R-12 contacts.add@2",
            ),
            _alias("prioritise", "requests.prioritise", "request priority", "prioritise R-12 high"),
            _alias(
                "publish", "requests.publish", "request title", "publish R-12 'Export of contacts'"
            ),
            _alias(
                "decline", "requests.close", "request why", "decline R-12 'why'", state="declined"
            ),
            _alias("close", "requests.close", "request why", "close R-12 'done as R-11'"),
            _alias("reopen", "requests.reopen", "request why", "reopen R-12 'why'"),
            _alias("testers", "functions.testers", "[TENANT]", "testers acme"),
            _alias(
                "try", "functions.dry_run", "TENANT function@version", "try acme contacts.add@2"
            ),
            _alias(
                "super", "supers.grant", "TENANT reason minutes [person]", "super acme 'why' 30m"
            ),
            _alias("supers", "supers.list", "TENANT", "supers acme"),
            _alias("errors", "logs.errors", "[TENANT]", "errors last 1h"),
            _alias("log", "logs.tenant", "TENANT", "log acme last 10m outcome=internal"),
            _alias("trace", "logs.trace", "trace_id", "trace 0af7"),
            _alias("audit", "audit.list", "[TENANT]", "audit acme"),
            _alias("verify", "audit.verify", "[head]", "verify"),
            _alias("head", "audit.head", ""),
            _alias("calls", "connectors.calls", "[TENANT]", "calls acme outcome=unavailable"),
            _alias("outbox", "connectors.outbox", "TENANT", "outbox acme"),
            _alias("dead", "connectors.dead", "TENANT", "dead acme"),
            _alias("retry", "connectors.retry", "TENANT [id]", "retry acme 4711"),
            _alias("stats", "stats.show", "[TENANT]", "stats acme"),
            _alias("actions", "stats.actions", "[TENANT]", "actions acme"),
            _alias("busiest", "stats.tenants", ""),
            _alias("actors", "actors.list", "[sort]", "actors turns kind=tenant"),
            _alias("actor", "actors.show", "actor", "actor registry"),
            _alias("restart", "actors.restart", "actor why", "restart mail 'its relay hangs'"),
            _alias("passivate", "actors.passivate", "actor", "passivate acme"),
            _alias("stacks", "actors.stacks", ""),
            _alias("slow", "actors.slow", "[ms]", "slow 500"),
        )
    }
)
"""By word."""

ABOUT_TENANT: frozenset[str] = frozenset(
    each.action for each in ALIASES.values() if each.takes_tenant
)
"""Actions of the platform's people that are about a tenant: the index does not say so of them."""


def words_for(action: str) -> list[Alias]:
    """Return the words that stand for an action."""
    return [each for each in ALIASES.values() if each.action == action]
