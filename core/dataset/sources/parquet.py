"""Pictures inside a parquet table, as data sets keep them: read some rows at a time, so that no table need fit into memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from core.base.errors import DatasetError, require
from core.dataset.items import Skipped
from core.dataset.sources import SourceContent, SourceFile
from core.dataset.sources.captions import caption_column, caption_file

ROWS = 32
"""Pictures that are in memory at once; a photograph has some megabytes."""
IMAGE_COLUMNS = ("image", "img", "jpg", "png", "jpeg", "webp", "picture")


def table_parts(file: Path, name: str, stamp: int, image_column: str = "", captions: str = "") -> Iterator[SourceContent]:
    """The rows of a table, as parts of some pictures with their captions.

    Args:
        name: the table's path in its source. stamp: a number that changes with its content.
        image_column: a struct of bytes and path (the `datasets` package) or plain bytes (WebDataset); empty finds it.
        captions: column of texts or lists of tags; empty takes the likeliest.

    Raises: DatasetError: no table, no pictures in it, a column that it does not have; MissingDependency: pyarrow is not installed.
    """
    arrow = require("pyarrow", needed_for="Reading a parquet file", extra="sources")
    parquet = require("pyarrow.parquet", needed_for="Reading a parquet file", extra="sources")
    try:
        table = parquet.ParquetFile(file)
    except (arrow.ArrowException, OSError) as error:
        raise DatasetError(f"It is no parquet file that can be read ({str(error).splitlines()[0]}).") from error
    with table:
        schema = table.schema_arrow
        pictures = image_column if image_column else _find_pictures(arrow, schema)
        if pictures not in schema.names:
            raise DatasetError(f"It has no column of pictures{f' called {image_column!r}' if image_column else ''}; its columns are "
                               f"{', '.join(schema.names)}.")
        words = caption_column(schema.names, captions)
        if captions and not words:
            raise DatasetError(f"It has no column {captions!r}; its columns are {', '.join(schema.names)}.")
        row = 0
        try:
            for batch in table.iter_batches(batch_size=ROWS, columns=[pictures, *([words] if words else [])]):
                values = batch.to_pydict()
                yield _part(name, stamp, row, values[pictures], values[words] if words else [None] * batch.num_rows)
                row += batch.num_rows
        except (arrow.ArrowException, OSError) as error:
            yield SourceContent(skipped=[Skipped(name, f"It is damaged behind row {row} ({str(error).splitlines()[0]}).")])


def _part(name: str, stamp: int, first: int, pictures: list[Any], words: list[Any]) -> SourceContent:
    part = SourceContent()
    for number, (picture, text) in enumerate(zip(pictures, words, strict=True), first):
        data, path = (picture.get("bytes"), picture.get("path")) if isinstance(picture, dict) else (picture, None)
        stem = f"{PurePosixPath(name).stem}-{number:06}"
        image = f"{name}/{number:06}/{PurePosixPath(str(path)).name if path else stem + '.png'}"
        if not data:
            part.skipped.append(Skipped(image, "The table holds no picture in this row." if not path else
                                        "The table only names this picture; it lies elsewhere."))
            continue
        mark = hashlib.sha256(f"{stamp}:{number}".encode()).hexdigest()
        part.images.append(SourceFile(image, Path(image), (len(data), int(mark[:15], 16)), data=bytes(data)))
        caption = caption_file(image, text)
        if caption is not None:
            part.captions.append(caption)
    return part


def _find_pictures(arrow: Any, schema: Any) -> str:
    """The column that holds pictures; empty where there is none."""
    types = arrow.types
    for field in schema:
        if types.is_struct(field.type) and "bytes" in {field.type.field(i).name for i in range(field.type.num_fields)}:
            return str(field.name)
    binary = [field.name for field in schema if types.is_binary(field.type) or types.is_large_binary(field.type)]
    return next((name for name in IMAGE_COLUMNS if name in binary), binary[0] if len(binary) == 1 else "")
