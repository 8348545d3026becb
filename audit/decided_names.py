"""What policies and applications are called now, for decisions that the store sees for the first time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from audit.dictionaries import Decided
from audit.stored_text import stored
from policies.models import Application, Policy
from portal.tenants.reach import Reach


def names_of(reach: Reach, decided: Sequence[Decided]) -> dict[str, str]:
    """Id -> name of the policies and applications these decisions tell of, as far as `reach` may read them."""
    names: dict[str, str] = {}
    for model, texts in (
        (Policy, {d.decision.policy for d in decided}),
        (Application, {d.decision.application for d in decided}),
    ):
        ids = list(_uuids(texts))
        if ids:
            found = model.objects.within(reach).filter(id__in=ids).values_list("id", "name")
            names |= {str(key): stored(name) for key, name in found}
    return names


def _uuids(texts: Iterable[str]) -> Iterable[UUID]:
    for text in texts:
        try:
            yield UUID(text)
        except ValueError:
            continue
