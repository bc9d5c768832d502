"""Which encoding a file of text is in; what its text means is not asked here."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["open_text", "recognise"]

_CHUNK: Final = 1 << 20
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def recognise(path: Path) -> str:
    """
    The encoding of the file *path*: UTF-8 with or without a mark, UTF-16, GB18030, or cp1252 where nothing else fits.

    The whole file is looked at, a piece at a time.  A file that is neither marked nor UTF-8 is taken for GB18030 where
    its characters lie as those of Chinese text do; a plan that names the encoding is surer than any guess.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if (wide := _wide(head)) is not None:
        return wide
    if _decodes(path, "utf-8"):
        return "utf-8"
    return "gb18030" if _decodes(path, "gb18030") and _looks_chinese(path) else "cp1252"


def open_text(path: Path, encoding: str) -> tuple[io.TextIOWrapper, BinaryIO]:
    """
    The file *path* as text, its line ends as they are, and the bytes below it, whose position tells the progress.

    What can't be decoded becomes lone surrogates, so that the row it is in is refused and the others are not.
    """
    errors = "strict" if encoding.startswith("utf-16") else "surrogateescape"
    codecs.lookup(encoding)  # before anything is open
    raw = path.open("rb")
    return io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline=""), raw


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: a comma, a line end, most letters of the West have a zero beside them."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) <= len(head) // 20:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _looks_chinese(path: Path) -> bool:
    """
    Whether most characters beyond ASCII are two high bytes, as in the Chinese that people write every day.

    An accented Latin letter is one high byte before an ASCII letter, which GB18030 would read as a rare character.
    """
    decoder = codecs.getincrementaldecoder("gb18030")()
    common = rare = 0
    for chunk in _chunks(path):
        for character in decoder.decode(chunk):
            if character > "\x7f":
                code = character.encode("gb18030")
                if len(code) == 2 and code[1] >= 0xA1:
                    common += 1
                else:
                    rare += 1
        if common + rare > 10_000:
            break
    return common > 4 * rare
