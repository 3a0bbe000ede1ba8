"""Reads a source one chunk ahead, in a thread, while the one before it is worked on."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

from services.sources.base import Chunk


def read_ahead(chunks: Iterator[Chunk]) -> Generator[Chunk]:
    """Yield the same chunks; only for a source whose chunks need not be committed before the next is read.

    Reading a file is mostly decompression and parsing, which let other threads of the process run.

    Raises
    ------
    TapewatchError
        The source cannot be read any more; after the chunks before that.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        following = reader.submit(next, chunks, None)
        while (chunk := following.result()) is not None:
            following = reader.submit(next, chunks, None)
            yield chunk
