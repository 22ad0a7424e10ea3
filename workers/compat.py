"""One strict base model on pydantic 2 and, for the Python 3.6 and 3.7 images, on pydantic 1.

The spec imports from here alone, so that which pydantic is installed matters in this file only.
"""

import json
from typing import TYPE_CHECKING, Any, Dict

import pydantic
from pydantic import BaseModel, Field, ValidationError, confloat, conint, constr
from typing_extensions import Annotated, Literal

PYDANTIC_2 = int(pydantic.VERSION.split(".")[0]) >= 2

if TYPE_CHECKING or PYDANTIC_2:

    class Record(BaseModel):
        """A record that refuses unknown fields."""

        model_config = {"extra": "forbid", "protected_namespaces": ()}

else:

    class Record(BaseModel):
        """A record that refuses unknown fields; pydantic 2's method names on pydantic 1."""

        class Config:
            extra = "forbid"

        @classmethod
        def model_validate(cls, value):
            return cls.parse_obj(value)

        def model_dump(self, mode="python"):
            return json.loads(self.json()) if mode == "json" else self.dict()

        def model_copy(self, update=None, deep=False):
            return self.copy(update=update, deep=deep)


# Strict, bounded numbers. pydantic 1 has no switch against NaN and infinity, but a bound on both
# sides refuses them in either version (seen: NaN fails every comparison).
LARGEST = 1e30

if TYPE_CHECKING:
    Text = str
    Flag = bool
    Count = int  # 1, 2, 3, ...
    Index = int  # 0, 1, 2, ...
    Positive = float  # > 0
    NonNegative = float  # >= 0
    Fraction = float  # 0 <= x < 1
    Real = float  # any finite number
else:
    Text = constr(strict=True, min_length=1)
    Flag = pydantic.StrictBool
    Count = conint(strict=True, ge=1)
    Index = conint(strict=True, ge=0)
    Positive = confloat(strict=True, gt=0, lt=LARGEST)
    NonNegative = confloat(strict=True, ge=0, lt=LARGEST)
    Fraction = confloat(strict=True, ge=0, lt=1)
    Real = confloat(strict=True, gt=-LARGEST, lt=LARGEST)


def canonical_json(value: Any) -> str:
    """Return ``value`` (a Record or plain JSON data) as one fixed text: what identities hash.

    Raises ValueError for NaN and infinity, which JSON does not have.
    """
    if isinstance(value, Record):
        value = value.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def pretty_json(value: Record) -> str:
    """Return ``value`` as indented JSON, fields in the order of the spec."""
    data: Dict[str, Any] = value.model_dump(mode="json")
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


__all__ = [
    "Annotated",
    "Count",
    "Field",
    "Flag",
    "Fraction",
    "Index",
    "Literal",
    "NonNegative",
    "Positive",
    "Real",
    "Record",
    "Text",
    "ValidationError",
    "canonical_json",
    "pretty_json",
]
