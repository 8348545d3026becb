"""Page or fragment, decided once; and the gate before each view.

One screen is one template. Its fragments are `{% partialdef name %}` blocks whose name is the DOM id.
The client never chooses a template: it names a DOM id, and the view says which ones it serves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from portal.common.errors import Forbidden, NotFound, PortalError

if TYPE_CHECKING:  # the floor above: only its shape is known here
    from django_htmx.middleware import HtmxDetails

P = ParamSpec("P")


class PortalRequest(HttpRequest):
    """A request inside the portal: whose it is (`reach`), where it is (`organization`, None under /all/)."""

    htmx: HtmxDetails
    reach: Any  # portal.tenants.reach.Reach
    organization: Any  # portal.tenants.models.Organization | None


View = Callable[Concatenate[PortalRequest, P], HttpResponse]


def respond(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    fragments: Set[str] = frozenset(),
    status: int = 200,
    events: tuple[str, ...] = (),
) -> HttpResponse:
    """Render the page, or the fragment that htmx targets when it is one of `fragments`.

    `events`: past-tense names announced to the page (`policies-changed`).
    """
    htmx = cast(PortalRequest, request).htmx
    wanted = htmx.target if htmx and not htmx.boosted and not htmx.history_restore_request else None
    name = f"{template}#{wanted}" if wanted in fragments else template
    response = render(request, name, dict(context), status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    response["Cache-Control"] = "no-store"
    if events:
        response["HX-Trigger"] = ", ".join(events)
    return response


def needs(capability: str, *, everywhere: bool = False) -> Callable[[Callable[..., HttpResponse]], View[...]]:
    """Gate of a view: signed in, the URL's organization in reach (404), the capability there (403).

    `everywhere`: the view spans organizations (`/all/`); the capability is needed in at least one, and the view
    itself keeps to `reach.with_capability(...)`.
    """

    def gate(view: Callable[..., HttpResponse]) -> View[...]:
        @functools.wraps(view)
        def answer(request: PortalRequest, *args: Any, organization: str | None = None, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if organization is None:
                if not everywhere:
                    raise NotFound
                if not request.reach.can_anywhere(capability):
                    raise Forbidden(capability)
                return view(request, *args, **kwargs)
            request.organization = _organization(request, organization)
            request.reach.require(capability, request.organization.id)
            return view(request, *args, **kwargs)

        answer.capability = capability  # type: ignore[attr-defined]
        return answer

    return gate


def _organization(request: PortalRequest, slug: str) -> Any:
    from django.apps import apps

    model: Any = apps.get_model("tenants", "Organization")
    found = model.objects.within(request.reach).filter(slug=slug).select_related("parent").first()
    if found is None or not request.reach.sees(found.id):
        raise NotFound
    return found


def _to_sign_in(request: PortalRequest) -> HttpResponse:
    if request.htmx:
        response = HttpResponse(status=401)
        response["HX-Redirect"] = redirect_to_login(request.htmx.current_url_abs_path or "/").url
        return response
    return redirect_to_login(request.get_full_path())


def error_response(request: PortalRequest, error: PortalError) -> HttpResponse:
    """The page (or, for htmx, the panel) of an error that a view did not handle itself."""
    template = "errors/panel.html" if getattr(request, "htmx", False) else "errors/page.html"
    response = render(request, template, {"error": error, "status": error.status}, status=error.status)
    response["Cache-Control"] = "no-store"
    seconds = getattr(error, "retry_after_seconds", None)
    if seconds is not None:
        response["Retry-After"] = str(seconds)
    return response
