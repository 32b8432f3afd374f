"""Compiles a reader: from a writer's schema and ours to one Python function that decodes exactly that pair.

A general Avro library walks the schema for every record (fastavro: 10 µs for a plain `Event`); the compiled
function holds the walk as straight-line code (4 µs), resolves older and customers' schemas at the same
speed, and is strict: what no writer produces is refused. What resolves to what is Avro's
specification, "Schema Resolution". Tests hold it to fastavro and to the reference implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec.structs

from schemas.avro_schema import Schema, kind, least_size, logical_type, may_be_null
from schemas.reason import Reason, SchemaRefused, UndecodableRecord
from schemas.source_lines import SourceLines
from schemas.varint import DOUBLE, FLOAT, read_varint

Reader = Callable[[bytes, int], tuple[Any, int]]
"""From a message and the record's place in it to the record and where it ends.

Raises `UndecodableRecord`, or IndexError, UnicodeDecodeError or struct.error on cut or broken bytes.
"""

_PROMOTES = {
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"),
    ("float", "double"), ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip

_OTHER_MEANING = frozenset(
    {
        "decimal", "big-decimal", "duration", "date", "time-millis", "time-micros",
        "timestamp-millis", "timestamp-micros", "timestamp-nanos",
        "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos",
    }
)  # fmt: skip
"""Logical types whose values would be read as something else: microseconds as milliseconds, and the like."""


def compile_reader(writer: Schema, ours: Schema, records: Mapping[str, type]) -> Reader:
    """A reader of what `writer` wrote as our record; `records` gives the class of each of our record names.

    Raises `SchemaRefused`, naming the field, when `writer` does not resolve to `ours`.
    """
    compiler = _ReaderCompiler(records)
    try:
        compiler.resolve(writer, ours, "record", "")
        return compiler.lines.function("data, at", "return record, at")
    except (SyntaxError, RecursionError, MemoryError):  # Python's own limits on nested blocks
        raise SchemaRefused("", "its types are nested too deeply to be read here; flatten them") from None


class _ReaderCompiler:
    """In the function being written, `at` is the place in `data`, and `n` the number that was last read."""

    def __init__(self, records: Mapping[str, type]) -> None:
        self._records = records
        self.lines = SourceLines(
            varint=read_varint,
            double=DOUBLE.unpack_from,
            single=FLOAT.unpack_from,
            malformed=_malformed,
            no_branch=_no_branch,
        )

    def resolve(self, writer: Schema, ours: Schema, target: str, path: str) -> None:
        """Lines that read `writer` and leave our value in `target`, a local name."""
        if kind(writer) == "union":
            self._branches(writer, lambda branch: self.resolve(branch, ours, target, path), path)
            return
        if kind(ours) == "union":
            if kind(writer) == "null":
                self.lines.add(f"{target} = None")
                return
            (ours,) = (branch for branch in ours if branch != "null")
        match kind(writer), kind(ours):
            case "record", "record":
                self._record(writer, ours, target, path)
            case "array", "array":
                values, item = self.lines.name(), self.lines.name()
                self.lines.add(f"{values} = []")
                with self._each(writer["items"], path):
                    self.resolve(writer["items"], ours["items"], item, f"{path}[]")
                    self.lines.add(f"{values}.append({item})")
                self.lines.add(f"{target} = tuple({values})")
            case "map", "map":
                values, key, value = self.lines.name(), self.lines.name(), self.lines.name()
                self.lines.add(f"{values} = {{}}")
                with self._each("string", path):
                    self._primitive("string", "string", key)
                    self.resolve(writer["values"], ours["values"], value, f"{path}{{}}")
                    self.lines.add(f"{values}[{key}] = {value}")
                self.lines.add(f"{target} = {values}")
            case has, wants if has == wants or (has, wants) in _PROMOTES:
                theirs, own = logical_type(writer), logical_type(ours)
                if theirs != own and theirs in _OTHER_MEANING:
                    raise SchemaRefused(path, f"{theirs} does not resolve to our {own or wants}")
                self._primitive(has, wants, target)
            case has, wants:
                raise SchemaRefused(path, f"{has} does not resolve to our {wants}")

    def _record(self, writer: Schema, ours: Schema, target: str, path: str) -> None:
        own = ours["name"].rpartition(".")[2]
        if (theirs := writer["name"].rpartition(".")[2]) != own:
            raise SchemaRefused(path, f"record {theirs} does not resolve to our {own}: the names differ")
        record = self._records[ours["name"]]
        self.lines.bound[f"new_{own}"] = record
        fields = {field.name: field for field in msgspec.structs.fields(record)}
        wanted = {field["name"]: field for field in ours["fields"]}
        given: list[str] = []
        for field in writer["fields"]:
            name, where = field["name"], _join(path, field["name"])
            if name not in wanted:
                self._skip(field["type"], where)
                continue
            value = self.lines.name()
            self.resolve(field["type"], wanted[name]["type"], value, where)
            if may_be_null(field["type"]) and fields[name].default is not None:
                absent = f"absent_{own}_{name}"
                self.lines.bound[absent] = _default_maker(fields[name])
                self.lines.add(f"if {value} is None: {value} = {absent}()")
            given.append(f"{name}={value}")
        has = {field["name"] for field in writer["fields"]}
        for name, field in wanted.items():
            if name not in has and "default" not in field:
                why = "the writer's schema lacks it, and ours has no default for it"
                raise SchemaRefused(_join(path, name), why)
        self.lines.add(f"{target} = new_{own}({', '.join(given)})")

    def _branches(self, writer: list[Schema], read: Callable[[Schema], None], path: str) -> None:
        """An if-chain over the branch number. One that is not null has to resolve; the rest fail when met."""
        self._number()
        refusals: dict[int, SchemaRefused] = {}
        word = "if"
        for index, branch in enumerate(writer):
            try:
                with self.lines.block(f"{word} n == {index * 2}:"):
                    read(branch)
            except SchemaRefused as refusal:
                refusals[index] = refusal
                self.lines.add(f"{word} n == {index * 2}: no_branch({path!r}, {kind(branch)!r})")
            word = "elif"
        self.lines.add(f"else: malformed({path!r}, 'union branch', n, at)")
        meant = [index for index, branch in enumerate(writer) if branch != "null"] or range(len(writer))
        if all(index in refusals for index in meant):
            raise refusals[meant[0]] if writer else SchemaRefused(path, "a union of nothing")

    @contextmanager
    def _each(self, element: Schema, path: str) -> Iterator[None]:
        """A loop over the elements in all blocks of an array or map; what is added inside reads one."""
        if least_size(element) == 0:
            raise SchemaRefused(
                path, "its elements take no bytes, so a few bytes could claim any number of them"
            )
        count, end = self.lines.name(), self.lines.name()
        with self.lines.block("while True:"):
            self._number()
            self.lines.add("if n == 0: break")
            self.lines.add(f"{count} = n >> 1")
            self.lines.add(f"{end} = -1")
            with self.lines.block("if n & 1:"):
                self.lines.add(f"{count} += 1")
                self._length()
                self.lines.add(f"{end} = n")
            self.lines.add(f"if {count} > len(data) - at: malformed({path!r}, 'count', {count}, at)")
            with self.lines.block(f"for _ in range({count}):"):
                yield
            self.lines.add(f"if at != {end} >= 0: malformed({path!r}, 'block end', {end}, at)")

    def _primitive(self, has: str, wants: str, target: str) -> None:
        match has:
            case "string" | "bytes":
                self._length()
                self.lines.add(f"{target} = data[at:n]{'.decode()' if wants == 'string' else ''}")
                self.lines.add("at = n")
            case "int" | "long":
                self._number()
                if has == "int":
                    self.lines.add("if n > 0xFFFFFFFF: malformed('', 'int', n, at)")
                value = "(n >> 1) ^ -(n & 1)"
                self.lines.add(
                    f"{target} = " + (f"float({value})" if wants in ("float", "double") else value)
                )
            case "double" | "float":
                unpack, size = ("double", 8) if has == "double" else ("single", 4)
                self.lines.add(f"({target},) = {unpack}(data, at)")
                self.lines.add(f"at += {size}")
            case "boolean":
                self.lines.add("n = data[at]")
                self.lines.add("at += 1")
                self.lines.add("if n > 1: malformed('', 'boolean', n, at)")
                self.lines.add(f"{target} = n == 1")
            case "null":
                self.lines.add(f"{target} = None")

    def _skip(self, writer: Schema, path: str) -> None:
        """Lines that pass over a field of theirs that is none of ours."""
        match kind(writer):
            case "union":
                self._branches(writer, lambda branch: self._skip(branch, path), path)
            case "record":
                for field in writer["fields"]:
                    self._skip(field["type"], _join(path, field["name"]))
            case "array":
                with self._each(writer["items"], path):
                    self._skip(writer["items"], path)
            case "map":
                with self._each("string", path):
                    self._skip("string", path)
                    self._skip(writer["values"], path)
            case "string" | "bytes":
                self._length()
                self.lines.add("at = n")
            case "fixed":
                self.lines.add(f"at += {writer['size']}")
            case "enum":
                self._number()
                self.lines.add(
                    f"if n & 1 or n >= {2 * len(writer['symbols'])}: malformed({path!r}, 'enum', n, at)"
                )
            case primitive:
                self._primitive(primitive, primitive, "_")
        self.lines.add("pass")  # a record without fields still needs a line inside its block

    def _number(self) -> None:
        """`n` becomes the next varint, zigzag not undone; one byte is by far the most frequent case."""
        self.lines.add("n = data[at]")
        self.lines.add("if n < 128: at += 1")
        self.lines.add("else: n, at = varint(data, at)")

    def _length(self) -> None:
        """`n` becomes the end of the bytes from `at`. One beyond the data is seen by whoever reads on."""
        self._number()
        self.lines.add("if n & 1: malformed('', 'length', n, at)")
        self.lines.add("n = at + (n >> 1)")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _default_maker(field: msgspec.structs.FieldInfo) -> Callable[[], Any]:
    if field.default_factory is not msgspec.NODEFAULT:
        factory: Callable[[], Any] = field.default_factory
        return factory
    return lambda: field.default


def _malformed(path: str, what: str, value: int, at: int) -> NoReturn:
    place = f"field {path}: " if path else ""
    raise UndecodableRecord(Reason.MALFORMED, f"{place}{what} {value:#x} before byte {at} cannot be")


def _no_branch(path: str, has: str) -> NoReturn:
    raise UndecodableRecord(Reason.MALFORMED, f"field {path}: {has} does not resolve to our type")
