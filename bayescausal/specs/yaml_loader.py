"""`load_yaml` reads YAML from untrusted sources in bounded time and memory.

Reading runs no code, and whatever cannot be read is a SpecError that names the line.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from bayescausal.errors import SpecError, shortened, shown

CHARACTERS, VALUES, LEVELS = 2_000_000, 100_000, 50
"""The longest text, the most values in it with its aliases written out, the deepest nesting."""


class _Loader(yaml.SafeLoader):
    """Reads plain values only, and refuses duplicate keys and documents that grow without bound.

    Truth values and whole numbers are those of YAML 1.2: ``NO``, ``on`` and ``01`` are text, as
    the names of units and nodes are.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = self._values = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event, count = self.peek_event(), self._values
        alias = isinstance(event, yaml.AliasEvent)
        line = event.start_mark.line + 1
        if self._levels > LEVELS:
            raise SpecError(
                f"The YAML nests more than {LEVELS} deep in line {line}; a spec needs fewer than "
                "ten levels. Look for brackets that are not closed."
            )
        self._levels += 1
        node = super().compose_node(parent, index)
        self._levels -= 1
        if alias and id(node) not in self._sizes:
            raise SpecError(f"The alias in line {line} of the YAML stands inside itself.")
        # An alias counts as all that it stands for: aliases of aliases grow exponentially.
        self._values += self._sizes[id(node)] if alias else 1
        self._sizes[id(node)] = self._sizes[id(node)] if alias else self._values - count
        if self._values > VALUES:
            raise SpecError(
                f"The YAML has more than {VALUES:,} values in line {line}, those that aliases "
                "(*name) stand for included. Write the spec without aliases; data go to a CSV file."
            )
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if first := lines.get((key.tag, key.value)):
                raise SpecError(
                    f"The YAML has the key {shown(key.value)} twice in one mapping, in lines "
                    f"{first} and {line}: one of the two would be lost. Rename or remove one; "
                    "entries of one kind are a list, with '-' before each."
                )
            lines[key.tag, key.value] = line
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Construct a value; an error names the line of a scalar that Python cannot read."""
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, SpecError):
            raise
        except Exception as error:  # of int, float, date, bool: whatever they raise
            kind = node.tag.rpartition(":")[2]
            reason = "" if isinstance(error, LookupError | AttributeError) else f" ({error})"
            raise SpecError(
                f"The YAML has {shown(node.value)} in line {node.start_mark.line + 1}, which reads "
                f"as {_KINDS.get(kind, kind)} and is none{shortened(reason, 120)}. Correct it, or "
                "put it into quotes if it is text."
            ) from None


_PREFIX = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] not in (f"{_PREFIX}bool", f"{_PREFIX}int")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f"{_PREFIX}bool", re.compile("(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    f"{_PREFIX}int", re.compile("[-+]?(?:0|[1-9][0-9_]*)$"), list("-+0123456789")
)

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "timestamp": "a date",
    "bool": "true or false",
}


def load_yaml(text: str) -> dict[str, Any]:
    """Read a YAML mapping with the safe loader; every failure is one line that says where."""
    if not isinstance(text, str):
        raise SpecError(f"YAML is text; got {type(text).__name__}. Read the file first.")
    if len(text) > CHARACTERS:
        raise SpecError(
            f"The YAML has {len(text):,} characters; at most {CHARACTERS:,} are read. Data go to a "
            "CSV file, which `data: {path: ...}` names."
        )
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.constructor.ConstructorError as error:
        raise SpecError(_unread(error)) from None
    except yaml.YAMLError as error:
        raise SpecError(f"This is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise SpecError(f"The YAML must be a mapping of keys; got {type(content).__name__}.")
    return content


def _unread(error: yaml.constructor.ConstructorError) -> str:
    """Say what the loader could not construct."""
    mark = error.problem_mark or error.context_mark
    place = f" in line {mark.line + 1}" if mark else ""
    if "constructor for the tag" in str(error.problem):
        return (
            f"The YAML uses a tag that is not allowed{place} ({error.problem}); tags can run code. "
            "Write plain values."
        )
    if "unhashable" in str(error.problem):
        return f"The YAML has a key{place} that is a list or a mapping. A key is a name."
    return f"The YAML cannot be read{place}: {error.problem}. Write plain values."
