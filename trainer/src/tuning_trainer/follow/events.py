"""Finds scalars in TensorBoard's events without TensorFlow: protocol buffers are numbered fields of four kinds."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# The numbers of the fields, in event.proto, summary.proto and tensor.proto.
EVENT_STEP, EVENT_SUMMARY = 2, 5
SUMMARY_VALUE = 1
VALUE_TAG, VALUE_SIMPLE, VALUE_TENSOR = 1, 2, 8
TENSOR_DTYPE, TENSOR_SHAPE, TENSOR_CONTENT = 1, 2, 4
SHAPE_DIM, DIM_SIZE = 2, 1
MAX_VALUES = 1000
"""Values of one event that are looked at."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT = 10
_MORE = 0x80
"""The bit of a byte that another one follows."""

Field = tuple[int, int, bytes | int]


class Scalar(NamedTuple):
    """A value of a tag at a step."""

    tag: str
    step: int
    value: float


def scalars(event: bytes) -> Iterator[Scalar]:
    """The scalars of an event; texts, images, graphs and histograms are none.

    Raises:
        ValueError: these bytes are not an event.
    """
    fields = list(_fields(event))
    step = next((value for number, _, value in fields if number == EVENT_STEP and isinstance(value, int)), 0)
    left = MAX_VALUES
    for summary in _messages(fields, EVENT_SUMMARY):
        for entry in _messages(_fields(summary), SUMMARY_VALUE):
            left -= 1
            if left < 0:
                return
            value = list(_fields(entry))
            number = _number(value)
            tag = next(_messages(value, VALUE_TAG), b"").decode(errors="replace")
            if number is not None and tag and step >> 63 == 0:
                yield Scalar(tag, step, number)


def _number(value: list[Field]) -> float | None:
    for number, kind, content in value:
        if number == VALUE_SIMPLE and kind == _FIXED32 and isinstance(content, bytes):
            return float(struct.unpack("<f", content)[0])
    return next((_scalar_of(list(_fields(tensor))) for tensor in _messages(value, VALUE_TENSOR)), None)


def _scalar_of(tensor: list[Field]) -> float | None:
    """The number of a tensor that has one."""
    dtype = next((value for number, _, value in tensor if number == TENSOR_DTYPE), 0)
    form, field = _DTYPES.get(dtype, ("", 0)) if isinstance(dtype, int) else ("", 0)
    sizes = [
        size
        for shape in _messages(tensor, TENSOR_SHAPE)
        for dim in _messages(_fields(shape), SHAPE_DIM)
        for number, _, size in _fields(dim)
        if number == DIM_SIZE
    ]
    if not form or any(size != 1 for size in sizes):
        return None
    content = next(_messages(tensor, TENSOR_CONTENT), b"")
    if content:
        return _unpacked(form, content)
    for number, _, value in tensor:
        if number == field:
            return _listed(form, value)
    return 0.0  # what is zero need not be written


def _listed(form: str, value: bytes | int) -> float | None:
    """The one entry of a list of numbers, which may be packed."""
    if form in ("<f", "<d"):
        return _unpacked(form, value) if isinstance(value, bytes) else None
    if isinstance(value, bytes):
        value, _ = _varint(value, 0)
    if form in ("<e", _BFLOAT):
        return _unpacked(form, (value & 0xFFFF).to_bytes(2, "little"))
    return float(value - (1 << 64) if value >> 63 else value)


def _unpacked(form: str, content: bytes) -> float | None:
    if form == _BFLOAT:  # the upper half of a float
        form, content = "<f", b"\0\0" + content
    return float(struct.unpack(form, content)[0]) if len(content) == struct.calcsize(form) else None


_BFLOAT = "bfloat16"
_DTYPES = {1: ("<f", 5), 2: ("<d", 6), 3: ("<i", 7), 9: ("<q", 10), 14: (_BFLOAT, 13), 19: ("<e", 13)}
"""How a number of that type is stored as bytes, and the field of its list."""


def _messages(fields: Iterator[Field] | list[Field], wanted: int) -> Iterator[bytes]:
    for number, _, value in fields:
        if number == wanted and isinstance(value, bytes):
            yield value


def _fields(data: bytes) -> Iterator[Field]:
    """Number, kind and content of each field."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in _SIZES:
            length = _SIZES[kind]
        else:
            raise ValueError(f"a field of an unknown kind, {kind}")
        if at + length > len(data):
            raise ValueError("a field that is longer than its record")
        yield number, kind, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place, seven bits a byte, and the place after it."""
    value = 0
    for index in range(_MAX_VARINT):
        if at + index >= len(data):
            raise ValueError("a number that is cut off")
        byte = data[at + index]
        value |= (byte & ~_MORE) << 7 * index
        if not byte & _MORE:
            return value & (1 << 64) - 1, at + index + 1
    raise ValueError("a number of more than ten bytes")
