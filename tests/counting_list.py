"""A list that counts how many of its items are read."""

from __future__ import annotations

from collections.abc import Iterator


class CountingList(list):
    """Counts the items that are read by index, by slice or by iteration.

    Attributes:
        num_read: items read so far; tests may set it back to 0.
    """

    num_read = 0

    def __getitem__(self, index):
        result = super().__getitem__(index)
        self.num_read += len(result) if isinstance(index, slice) else 1
        return result

    def __iter__(self) -> Iterator:
        for item in super().__iter__():
            self.num_read += 1
            yield item
