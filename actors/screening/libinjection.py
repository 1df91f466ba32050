"""libinjection, which reads a text as SQL's and HTML's own readers would; optional.

Debian's libmodsecurity3 exports it. A library that does not find what it must, or finds what it must not,
is not used.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from functools import cache
from typing import Final, NamedTuple

LIBRARY: Final = "modsecurity"

MUST_FIND_SQL: Final = ("1' OR '1'='1' -- ", "-1 UNION SELECT 1,2,3 -- ", "1; DROP TABLE users --")
MUST_PASS: Final = ("O'Brien", "select specialty hospital", "DROP-IN CENTRE", "a < b and c > d", "")
MUST_FIND_SCRIPT: Final = ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>")

_WORDS = re.compile(r"n.*|f.*|sos|so.|son.*|s&s|s&n.*|1&1|1&n.*|1on.*|1c|Enknk")
"""Fingerprints that prose has as well: words, numbers and quotes around a keyword."""

MOST_BYTES: Final = 4096
"""Bytes of a text that the library reads: it judges SQL by the first few words; patterns read it all."""

_MARKS: Final = r"'\"`();#=<>*|&\\"

SUSPECT: Final = rf"[{_MARKS}]|--|@@"
"""A pattern: libinjection finds nothing in a text without one of these that the patterns do not find."""

_SUSPECT = re.compile(rf"[{_MARKS}@-](?:(?<=[{_MARKS}])|(?<=-)(?=-)|(?<=@)(?=@))")
"""The same, as Python's patterns look it up quickly: by its first character."""

_MARK: Final = b"&"
_AS_MARKS: Final = bytes.maketrans(b"'\"`();#=<>*|\\", _MARK * 13)

_Fingerprint = ctypes.c_char * 8


class Findings(NamedTuple):
    """What libinjection finds in a text."""

    sql: bool
    script: bool


NOTHING: Final = Findings(sql=False, script=False)


class Libinjection:
    """The library, loaded and tried."""

    def __init__(self, library: ctypes.PyDLL) -> None:
        """AttributeError for a library that does not export it."""
        self._sql = library.libinjection_sqli
        self._script = library.libinjection_xss
        self._sql.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p)
        self._script.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
        library.libinjection_version.restype = ctypes.c_char_p
        self.version: str = library.libinjection_version().decode("ascii", "replace")

    def suspects(self, text: str) -> bool:
        """Whether a text has what `find` would look at; without it the patterns are enough."""
        return _SUSPECT.search(text, 0, MOST_BYTES) is not None

    def find(self, content: bytes) -> Findings:
        """Return what is in the first MOST_BYTES of a text, in UTF-8."""
        content = content[:MOST_BYTES]
        is_script = b"<" in content and bool(self._script(content, len(content)))
        return Findings(self._is_sql(content), is_script)

    def is_in_a_line(self, content: bytes) -> bool:
        """Return whether it finds something in one of these lines, in UTF-8, looked at one by one."""
        marked = content.replace(b"--", b"&&").replace(b"@@", b"&&").translate(_AS_MARKS)
        at = marked.find(_MARK)
        while at >= 0:
            start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
            if any(self.find(content[start:end] if end >= 0 else content[start:])):
                return True
            at = marked.find(_MARK, end) if end >= 0 else -1
        return False

    def _is_sql(self, content: bytes) -> bool:
        fingerprint = _Fingerprint()
        if not self._sql(content, len(content), fingerprint):
            return False
        return _WORDS.fullmatch(fingerprint.value.decode("ascii", "replace")) is None

    def failures(self) -> list[str]:
        """Return the texts of the self-test for which the answer is wrong."""
        tried = [
            *((text, True, self.find(text.encode()).sql) for text in MUST_FIND_SQL),
            *((text, False, self.find(text.encode()).sql) for text in MUST_PASS),
            *((text, True, self.find(text.encode()).script) for text in MUST_FIND_SCRIPT),
            *((text, False, self.find(text.encode()).script) for text in MUST_PASS),
        ]
        return [text for text, expected, found in tried if expected != found]


@cache
def load(name: str = LIBRARY) -> tuple[Libinjection | None, str]:
    """Return the library, or None, and in words which it is or why there is none."""
    path = ctypes.util.find_library(name)
    if path is None:
        return None, f"not installed: lib{name} is not on this machine (Debian: libmodsecurity3)"
    try:
        library = Libinjection(ctypes.PyDLL(path))
    except (OSError, AttributeError) as error:
        return None, f"not used: {path} cannot be used: {error}"
    wrong = library.failures()
    if wrong:
        return (
            None,
            f"not used: {path} {library.version} is wrong about {len(wrong)} of its test's texts",
        )
    return library, f"libinjection {library.version} from {path}"
