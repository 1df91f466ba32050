"""The Keyring: what is encrypted decrypts with its key, in its place, unchanged; and never otherwise."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admin.secrets import FORMAT, HEADER_BYTES, NONCE_BYTES, AssociatedData, Keyring
from actors.errors import EncryptionError

OLD, NEW, OTHER = (bytes([number]) * 32 for number in (1, 2, 3))

PLACE: AssociatedData = ("connector settings", "a" * 32, "mail", 1)

CONTENT = b"hunter2-XYZZY"

TAG_BYTES = 16

places = st.tuples(st.text(), st.text(), st.text(), st.integers(0))


@given(content=st.binary(max_size=300), place=places)
def test_what_is_sealed_opens_in_its_place(content: bytes, place: AssociatedData) -> None:
    """Whatever it is, and wherever it belongs."""
    keyring = Keyring([OLD])
    assert keyring.decrypt(keyring.encrypt(content, place), place) == content


@given(here=places, there=places)
def test_it_opens_nowhere_else(here: AssociatedData, there: AssociatedData) -> None:
    """Not even where the parts of two places make the same text when they are joined."""
    keyring = Keyring([OLD])
    if here != there:
        with pytest.raises(EncryptionError, match="belongs elsewhere"):
            keyring.decrypt(keyring.encrypt(CONTENT, here), there)


def test_places_whose_texts_join_alike_are_two() -> None:
    """The boundary is part of the place."""
    keyring = Keyring([OLD])
    with pytest.raises(EncryptionError):
        keyring.decrypt(keyring.encrypt(CONTENT, ("ab", "c")), ("a", "bc"))


@pytest.mark.parametrize("at", range(HEADER_BYTES + NONCE_BYTES + len(CONTENT) + TAG_BYTES))
def test_no_bit_of_it_can_be_changed(at: int) -> None:
    """Of what names the key, of the nonce, of the content, of the tag."""
    keyring = Keyring([OLD])
    blob = bytearray(keyring.encrypt(CONTENT, PLACE))
    blob[at] ^= 1
    with pytest.raises(EncryptionError):
        keyring.decrypt(bytes(blob), PLACE)


@pytest.mark.parametrize("length", range(HEADER_BYTES + NONCE_BYTES + TAG_BYTES))
def test_what_is_cut_short_is_refused_and_nothing_fails(length: int) -> None:
    """Down to nothing at all."""
    keyring = Keyring([OLD])
    with pytest.raises(EncryptionError):
        keyring.decrypt(keyring.encrypt(b"", PLACE)[:length], PLACE)


def test_the_wrong_key_is_named_and_so_is_the_missing_one() -> None:
    """Both are told by what says nothing of a key."""
    blob = Keyring([OLD]).encrypt(CONTENT, PLACE)
    name = blob[len(FORMAT) : HEADER_BYTES].hex()
    for keyring in (Keyring([OTHER]), Keyring()):
        with pytest.raises(EncryptionError, match=f"key {name}, which the server does not have"):
            keyring.decrypt(blob, PLACE)
    assert name == repr(Keyring([OLD])).removeprefix("Keyring(").removesuffix(")")
    assert bytes.fromhex(name) not in OLD


def test_another_key_s_name_on_it_does_not_help() -> None:
    """The name is authenticated as well."""
    blob = Keyring([OLD]).encrypt(CONTENT, PLACE)
    named = Keyring([OTHER]).encrypt(CONTENT, PLACE)[:HEADER_BYTES] + blob[HEADER_BYTES:]
    with pytest.raises(EncryptionError, match="was changed"):
        Keyring([OLD, OTHER]).decrypt(named, PLACE)


def test_the_first_key_seals_and_all_of_them_open() -> None:
    """A rotation: the new key in front, the old one behind it, and then gone."""
    old, both, new = Keyring([OLD]), Keyring([NEW, OLD]), Keyring([NEW])
    before = old.encrypt(CONTENT, PLACE)
    assert both.decrypt(before, PLACE) == CONTENT
    assert not both.is_current(before)
    after = both.encrypt(CONTENT, PLACE)
    assert both.is_current(after)
    assert new.decrypt(after, PLACE) == CONTENT
    with pytest.raises(EncryptionError):
        new.decrypt(before, PLACE)


def test_nothing_is_sealed_without_a_key() -> None:
    """Rather not at all than plainly."""
    with pytest.raises(EncryptionError, match="no key"):
        Keyring().encrypt(CONTENT, PLACE)
    assert not Keyring().is_current(b"\x01abcd")


def test_the_same_content_is_sealed_another_way_each_time() -> None:
    """So that no one sees that two tenants have the same password."""
    keyring = Keyring([OLD])
    blobs = {keyring.encrypt(CONTENT, PLACE) for _ in range(100)}
    assert len(blobs) == 100
    assert len({blob[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES] for blob in blobs}) == 100


def test_a_mark_is_known_again_by_every_key_and_says_nothing_without_one() -> None:
    """It is neither the digest nor what anybody could compute from it with what a blob shows."""
    digest = sha256(CONTENT).digest()
    mark = Keyring([OLD]).macs(digest)[0]
    assert mark in Keyring([NEW, OLD]).macs(digest)
    assert mark not in Keyring([NEW]).macs(digest)
    assert mark not in (digest, hmac.digest(OLD, digest, "sha256"))
    assert Keyring().macs(digest) == (digest,)


def test_no_key_shows_itself() -> None:
    """In whatever a program prints."""
    keyring = Keyring([OLD, NEW])
    for key in (OLD, NEW):
        for told in (repr(keyring), str(keyring), repr(vars(keyring))):
            assert key.hex() not in told
            assert repr(key)[2:-1] not in told
