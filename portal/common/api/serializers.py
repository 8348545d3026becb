"""Bodies and query strings: what is not declared is refused, what is declared has one JSON type.

A serializer gives input its shape and checks nothing else; rules live in the activities.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

_JSON_TYPES: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], type | tuple[type, ...], str], ...] = (
    (serializers.BooleanField, bool, "true or false"),
    (serializers.IntegerField, int, "a whole number"),
    (serializers.FloatField, (int, float), "a number"),
    (serializers.DateTimeField, str, "a text"),
    (serializers.UUIDField, str, "a text"),
    (serializers.ChoiceField, str, "a text"),
    (serializers.CharField, str, "a text"),
)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, read-only ones too, at every level it is nested at."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            self._refuse_unknown(data)
            if not self._reads_query():
                self._refuse_wrong_types(data)
        return super().to_internal_value(data)

    def _writable(self) -> dict[str, Any]:
        return {name: field for name, field in self.fields.items() if not field.read_only}

    def _reads_query(self) -> bool:
        return isinstance(self.root, QuerySerializer)

    def _refuse_unknown(self, data: Mapping[str, Any]) -> None:
        known = list(self._writable())
        faults = {}
        for name in data:
            if name in known:
                continue
            if name in self.fields:
                faults[name] = ["This field is read-only."]
                continue
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Known here: {', '.join(known) or 'nothing'}."
            faults[str(name)] = [f"This field is not known.{hint}"]
        if faults:
            raise serializers.ValidationError(faults)

    def _refuse_wrong_types(self, data: Mapping[str, Any]) -> None:
        faults = {}
        for name, field in self._writable().items():
            value = data.get(name)
            expected = _expected_type(field)
            if value is None or expected is None:
                continue
            kind, words = expected
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                faults[name] = [f"This must be {words}."]
        if faults:
            raise serializers.ValidationError(faults)


class QuerySerializer(StrictSerializer):
    """The query string of a list: every value is text, and an unknown parameter is refused like a field."""


def _expected_type(field: Any) -> tuple[type | tuple[type, ...], str] | None:
    if isinstance(field, serializers.MultipleChoiceField):
        return None
    return next(((kind, words) for cls, kind, words in _JSON_TYPES if isinstance(field, cls)), None)


class ReferenceField(serializers.CharField):
    """The id or the slug of an organization or a group, or the id of anything else; the query resolves it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 100)
        super().__init__(**kwargs)


class InstantField(serializers.DateTimeField):
    """An instant as RFC 3339 with an offset; answers are in UTC. A time without offset is refused."""

    default_error_messages = {"naive": "This time has no offset. Write it like 2026-11-21T14:02:07Z."}

    def enforce_timezone(self, value: Any) -> Any:
        if value.tzinfo is None:
            self.fail("naive")
        return super().enforce_timezone(value)


class ProblemFaultSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="JSON pointer into the body, or /name of a query parameter.")
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457: what went wrong, and on 422 where."""

    type = serializers.CharField(help_text="Address of a page about this kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(required=False)
    errors = ProblemFaultSerializer(many=True, required=False)  # type: ignore[assignment]
