"""A fresh proof before something that widens rights: signed in, or proven again, within the last five minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from allauth.account.decorators import reauthentication_required
from django.http import HttpResponse

View = TypeVar("View", bound=Callable[..., HttpResponse])
_required = cast(Any, reauthentication_required)(app="portal.accounts")


def fresh(view: View) -> View:
    """Lead to the proof first; a form that was sent meanwhile is sent again by itself afterwards."""
    return cast(View, _required(view))
