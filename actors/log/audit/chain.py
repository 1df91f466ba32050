"""Records that hold each other: each carries the hash of the one before.

The law of this file: a record is one line of canonical JSON (sorted keys, no spaces, UTF-8, closed by a line
break). Its `hash` is the SHA-256, in hexadecimal, of that line without the line break and without the member
`hash`; its `prev` is the hash of the record before, and is thereby hashed, too. So a change of one record
needs a change of every record after it, and then the newest hash is another one.

The head of the chain: the newest record, found in the files without reading all of them.

It is noted beside the log's directory, too: that note distinguishes a log that was emptied, cut or written
again from one that has not begun. A record is synced before it is noted, so the note is never ahead of the
log; after a power cut it may be some seconds behind, as it is not synced with each record.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from actors.errors import TenantryError
from actors.host.disk import sync
from actors.host.files import write_private
from actors.log.append_file import LogFile, month_files, newest_first
from actors.log.messages import AuditEntry
from actors.log.redaction import mask_tokens, redact
from transport.fit import fit_map
from transport.validation import LARGEST_INT


class Link(NamedTuple):
    """A record as the next one knows it."""

    seq: int
    """1 for the first record."""
    hash: str
    """64 hexadecimal digits."""


GENESIS = Link(0, "0" * 64)
"""What stands before the first record."""

MAX_TEXT: Mapping[str, int] = {
    "kind": 20,
    "action": 128,
    "capacity": 100,
    "person": 18,
    "token": 18,
    "tenant": 63,
    "tenant_id": 32,
    "outcome": 40,
    "message": 4000,
    "request_id": 64,
    "trace_id": 32,
}
"""Characters of each text in a record, as the result of `audit.list` promises; the rest is cut off."""

TEXT = (str,)
OPTIONAL = (str, NoneType)
FIELDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(MAX_TEXT, OPTIONAL),
    **dict.fromkeys(("at", "kind", "action", "capacity", "prev", "hash"), TEXT),
    "seq": (int,),
    "params": (dict, NoneType),
}
"""The members of every record."""

IN_ORDER = sorted(FIELDS)
"""As they are written; the hash, which is taken out to be compared, would fit anywhere else."""


class ChainError(TenantryError):
    """A line that is not the record that belongs there; the message says why."""


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)

canonical_text = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
).encode


def canonical(value: Any) -> bytes:
    """The one way in which this JSON value is written."""
    return canonical_text(value).encode()


def append_hash(entry: AuditEntry, at: str, after: Link) -> tuple[bytes, Link]:
    """The line that records this entry after that record, and the link for the next one."""
    record: dict[str, Any] = {"seq": after.seq + 1, "at": at, "prev": after.hash, **_clean(entry)}
    digest = sha256(canonical(record)).hexdigest()
    return canonical({**record, "hash": digest}) + b"\n", Link(after.seq + 1, digest)


def verify_next(line: bytes, after: Link) -> Link:
    """The link of the record in this line, which has to be the one after that; ChainError."""
    record = parsed(line)
    if _hash_of(line, record["hash"]) != record["hash"]:
        raise ChainError("was changed: it does not fit its own hash")
    if [*record] != IN_ORDER:
        raise ChainError("was changed: its members are not in the order in which they are written")
    if record["seq"] != after.seq + 1:
        raise ChainError(
            f"has record {record['seq']} in its place: records are missing, doubled or in another order"
        )
    if record["prev"] != after.hash:
        raise ChainError(
            f"does not carry the hash of record {after.seq}: that one was changed and its hash made again, "
            "or this one comes from another log"
        )
    return Link(record["seq"], record["hash"])


def parsed(line: bytes) -> dict[str, Any]:
    """The record in this line, sound or not; ChainError where it does not even look like one."""
    if not line.endswith(b"\n"):
        raise ChainError("is not complete: it was cut off, or is being written at this moment")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise ChainError("is no JSON") from None
    if not isinstance(record, dict) or record.keys() != FIELDS.keys():
        raise ChainError("is no record: it has other members")
    if not all(type(record[name]) in types for name, types in FIELDS.items()):
        raise ChainError("is no record: its members have other types")
    return record


def readable(line: bytes) -> dict[str, Any] | None:
    """The record in this line, sound or not; None where it does not even look like one."""
    try:
        return parsed(line)
    except ChainError:
        return None


def presentable(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record as `audit.list` promises it, fit to be sent; None where it was made another one."""
    is_within = all(len(record[name] or "") <= most for name, most in MAX_TEXT.items())
    if is_within and 1 <= record["seq"] <= LARGEST_INT and is_moment(record["at"]):
        return fit_map(record)
    return None


def is_moment(at: object) -> bool:
    """Whether this is a time as RFC 3339 has it."""
    if not isinstance(at, str) or not _RFC_3339.match(at):
        return False
    try:
        datetime.fromisoformat(at)
    except ValueError:
        return False
    return True


def link_of(record: Mapping[str, Any]) -> Link:
    """What the record says of itself."""
    return Link(record["seq"], record["hash"])


def _hash_of(line: bytes, stated: str) -> str:
    """The hash of a line as it stands: the texts before `hash` have no bare quotes, so the first is it."""
    before, _, behind = line.partition(b',"hash":"' + stated.encode(errors="replace") + b'"')
    return sha256(before + behind.removesuffix(b"\n")).hexdigest()


def _clean(entry: AuditEntry) -> dict[str, Any]:
    """The entry's members, fit for a record whatever they are: an entry is never too odd to be recorded."""
    told = {name: _text(getattr(entry, name), most) for name, most in MAX_TEXT.items()}
    params = None if entry.params is None else redact(entry.params, None)
    return {**told, "params": params}


def _text(value: object, most: int) -> str | None:
    if value is None:
        return None
    text = mask_tokens(value)
    return text if len(text) <= most else text[: most - 1] + "…"


class ChainHead(NamedTuple):
    """Where the chain ends."""

    link: Link
    """Of the newest record that can be read; GENESIS where there is none."""
    problem: str | None
    """Why it does not hold, as far as the last two lines tell; None where they do not."""


def offset_of(volume: LogFile, seq: int) -> int:
    """Where the records with this number and higher ones begin, in bytes."""
    return volume.first(lambda line: (readable(line) or {"seq": 0})["seq"] >= seq)


def find_head(paths: list[Path]) -> ChainHead:
    """The head of the log in these volumes; OSError where one cannot be read."""
    with closing(newest_first(paths)) as lines:
        last = next(lines, None)
        if last is None:
            return ChainHead(GENESIS, None)
        record = readable(last)
        if record is None:
            return ChainHead(_newest(lines), "the last line is no record")
        return ChainHead(link_of(record), _last_problem(last, next(lines, None)))


def _newest(lines: Iterator[bytes]) -> Link:
    return next((link_of(record) for line in lines if (record := readable(line))), GENESIS)


def _last_problem(last: bytes, before: bytes | None) -> str | None:
    """Why the last record is not the one after that line."""
    link = GENESIS
    if before is not None:
        record = readable(before)
        if record is None:
            return "the line before the last one is no record"
        link = link_of(record)
    try:
        verify_next(last, link)
    except ChainError as problem:
        return f"the last record {problem}"
    return None


def head_path(directory: Path) -> Path:
    """The file that notes the head of the log in this directory: `audit.head` beside `audit/`."""
    return directory.with_name(f"{directory.name}.head")


def write_head(directory: Path, head: Link) -> None:
    """Note the newest record, which has been synced; OSError.

    It is written in place and always as long, so that it is the old note or the new one.
    """
    path, text = head_path(directory), f'{{"hash":"{head.hash}","seq":{head.seq:>20}}}\n'
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        write_private(path, text)
        return
    try:
        os.pwrite(descriptor, text.encode(), 0)
    finally:
        os.close(descriptor)


def forget_head(directory: Path) -> None:
    """What the log lacks is accepted: it goes on from what is there, and that is noted then. OSError."""
    head_path(directory).unlink(missing_ok=True)
    sync(directory.parent)


def missing_records(directory: Path) -> str | None:
    """What the log lacks of what was noted, in words; None where all is there, or nothing was noted.

    OSError where a file cannot be read.
    """
    try:
        content = json.loads(head_path(directory).read_bytes())
        noted = Link(int(content["seq"]), str(content["hash"]))
    except FileNotFoundError:
        return None  # of older code, or of a log that has not begun
    except (ValueError, TypeError, KeyError):
        return f"{head_path(directory)}, which says how far {directory} goes, is not as the server wrote it"
    found = _record_at(directory, noted.seq)
    if found is None:
        return f"{directory} lacks record {noted.seq}, which had been written: it was emptied, cut or removed"
    if found != noted:
        return f"{directory} has another record {noted.seq} than was written: it was changed or replaced"
    return None


def _record_at(directory: Path, seq: int) -> Link | None:
    """The record with this number, at the end or near it; None where there is none."""
    paths = month_files(directory) if directory.is_dir() else []
    with closing(newest_first(paths)) as lines:
        for line in lines:
            record = readable(line)
            if record is not None and record["seq"] <= seq:
                return _sound_link(line, record) if record["seq"] == seq else None
    return None


def _sound_link(line: bytes, record: dict[str, Any]) -> Link:
    """What the record says of itself, where that is true."""
    try:
        return verify_next(line, Link(record["seq"] - 1, record["prev"]))
    except ChainError:
        return GENESIS
