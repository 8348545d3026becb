"""The base of every REST view. A view parses, calls one activity or query, and answers; all else is here.

    class WidgetDetail(PortalAPIView):
        needs = {"GET": Capability.WIDGET_READ, "PATCH": Capability.WIDGET_WRITE}
        body = {"PATCH": WidgetBody}          # StrictSerializer
        answer = {"GET": WidgetAnswer}        # PATCH answers the same

        def current(self, request, widget_id): return queries.widget(request.reach, widget_id)
        def get(self, request, widget_id):
            return self.one(self.current(request, widget_id))

        def patch(self, request, widget_id):
            return self.one(change_widget(request.reach, widget_id, **self.parsed()))

Each method runs inside the caller's reach (one transaction). On every write: `?dry_run=true`,
`Idempotency-Key` and `If-Match` work without the view knowing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, cast

from django.conf import settings
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from portal.common.api import etags, idempotency
from portal.common.api.listing import PAGE_PARAMETERS, page_answer, page_of
from portal.common.api.parsers import StrictJSONParser
from portal.common.api.problems import problem_for
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.schema import PortalSchema
from portal.common.api.serializers import QuerySerializer, StrictSerializer
from portal.common.api.throttling import CallerThrottle
from portal.common.errors import FieldError, Forbidden, Invalid, Stale
from portal.common.paging import Page

Handler = Callable[..., Response]
METHODS = ("get", "post", "put", "patch", "delete")


class PortalAPIView(APIView):
    """See the module. Raising an error of `portal.common.errors` anywhere gives its problem answer.

    `needs`: method -> capability that the caller must have somewhere (None: being signed in is enough); the
    activity still checks it where it counts. `body`: method -> serializer of its JSON. `answer`: method ->
    serializer of its answer; methods left out answer like GET. `query`: the query string of GET. `lists`: GET
    answers a page. `volatile`: fields of the answer that change by themselves and so are not in the ETag.
    `statuses`: method -> status of success where it is not 200 (POST of a list: 201, DELETE: 204).
    `examples`: method -> (body or None, answer or None) for the documentation.
    """

    needs: ClassVar[Mapping[str, str | None]] = {}
    body: ClassVar[Mapping[str, type[StrictSerializer]]] = {}
    answer: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}
    query: ClassVar[type[QuerySerializer] | None] = None
    lists: ClassVar[bool] = False
    volatile: ClassVar[frozenset[str]] = frozenset()
    statuses: ClassVar[Mapping[str, int]] = {}
    examples: ClassVar[Mapping[str, tuple[Any, Any]]] = {}

    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    throttle_classes = [CallerThrottle]
    metadata_class = None
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    schema = PortalSchema()
    request: PortalAPIRequest

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method in METHODS:
            handler = cls.__dict__.get(method)
            if handler is None:
                continue
            if method.upper() not in cls.needs:
                raise TypeError(f"{cls.__name__}.{method} has no entry in `needs`")
            setattr(cls, method, _within_reach(handler))

    def current(self, request: PortalAPIRequest, *args: Any, **kwargs: Any) -> Any:
        """The object of this URL, for `If-Match`. A view without one has no versions."""
        raise Stale("This resource has no versions to match.")

    def context_for(self, request: PortalAPIRequest, thing: Any) -> Mapping[str, Any]:
        """What the answer's serializer needs beside the object itself."""
        return {}

    # -- what a handler calls -------------------------------------------------------------------------------

    def parsed(self) -> dict[str, Any]:
        """The body as declared in `body`. PATCH: only the fields that were sent. Raises ValidationError."""
        serializer = self.body[self._method()](
            data=self.request.data, partial=self._method() == "PATCH", context={"request": self.request}
        )
        serializer.is_valid(raise_exception=True)
        return cast("dict[str, Any]", serializer.validated_data)

    def asked(self) -> dict[str, Any]:
        """The query string as declared in `query`, without the paging parameters. Raises ValidationError."""
        if self.query is None:
            return {}
        declared = self.query().fields
        sent = {
            name: self.request.query_params.getlist(name) if _is_many(declared[name]) else value
            for name, value in self.request.query_params.items()
            if name in declared
        }
        serializer = self.query(data=sent, context={"request": self.request})
        serializer.is_valid(raise_exception=True)
        return cast("dict[str, Any]", serializer.validated_data)

    def listing(
        self, rows: QuerySet[Any], order: Sequence[str], *, context: Mapping[str, Any] | None = None
    ) -> Response:
        """One page of a queryset, sorted by `order` (last field unique)."""
        return self.page(page_of(self.request, rows, order), count=rows.count, context=context)

    def represent(self, thing: Any, context: Mapping[str, Any] | None = None, *, many: bool = False) -> Any:
        """The JSON of one thing (or many), as declared in `answer`."""
        serializer = self.answer.get(self._method()) or self.answer["GET"]
        return serializer(thing, many=many, context={"request": self.request, **(context or {})}).data

    def page(
        self,
        page: Page[Any],
        *,
        count: Callable[[], int] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Response:
        """One page that a query made by itself. Without `count`, `?count=true` is refused."""
        return page_answer(self.request, page, lambda rows: self.represent(rows, context, many=True), count=count)

    def one(self, thing: Any, *, location: str = "") -> Response:
        """One object with its ETag; 304 when the caller has it; with `location`, 201."""
        data = self.represent(thing, self.context_for(self.request, thing))
        tag = etags.etag_of(data, ignoring=self.volatile)
        if self._method() == "GET" and etags.matches(self.request.headers.get("If-None-Match", '""'), tag):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": tag})
        headers = {"ETag": tag, **({"Location": location} if location else {})}
        success = self.statuses.get(self._method(), 201 if location else 200)
        return Response(data, status=success, headers=headers)

    def gone(self) -> Response:
        """The answer to a successful DELETE."""
        return Response(status=status.HTTP_204_NO_CONTENT)

    # -- DRF's hooks ----------------------------------------------------------------------------------------

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> PortalAPIRequest:
        return PortalAPIRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def get_exception_handler(self) -> Any:
        return problem_for

    def check_permissions(self, request: Request) -> None:
        """401 without a caller, 405, then 403 when the caller has the needed capability nowhere."""
        if request.auth is None:
            raise exceptions.NotAuthenticated("Send a token: Authorization: Bearer <token>.")
        method = self._method()
        if method not in self.needs:
            raise exceptions.MethodNotAllowed(request.method or "")
        cast(PortalAPIRequest, request).reach = request.auth
        need = self.needs[method]
        if need is not None and not cast(Any, request.auth).can_anywhere(need):
            raise Forbidden(need)

    def check_throttles(self, request: Request) -> None:
        super().check_throttles(request)
        self._check_query_names()

    # -- inner ----------------------------------------------------------------------------------------------

    def _method(self) -> str:
        return "GET" if self.request.method == "HEAD" else self.request.method or ""

    def _check_query_names(self) -> None:
        declared = self.query().fields if self.query is not None and self._method() == "GET" else {}
        known = set(declared) | ({"dry_run"} if self.request.is_write else set())
        if self.lists and self._method() == "GET":
            known |= PAGE_PARAMETERS
        faults = []
        for name in self.request.query_params:
            if name not in known:
                words = ", ".join(sorted(known)) or "none"
                faults.append(FieldError(f"/{name}", f"This query parameter is not known. Known here: {words}."))
            elif len(self.request.query_params.getlist(name)) > 1 and not _is_many(declared.get(name)):
                faults.append(FieldError(f"/{name}", "This query parameter is there twice."))
        if faults:
            raise Invalid(faults)

    def _check_match(self, request: PortalAPIRequest, kwargs: Mapping[str, Any]) -> None:
        """Compare `If-Match` with the object as it is now, holding its row until the write is done."""
        wanted = request.headers.get("If-Match")
        if wanted is None:
            return
        thing = self.current(request, **kwargs)
        if isinstance(thing, models.Model):
            QuerySet(type(thing)).select_for_update().filter(pk=thing.pk).first()
            thing = self.current(request, **kwargs)
        shown = self.answer["GET"](thing, context={"request": request, **self.context_for(request, thing)}).data
        if not etags.matches(wanted, etags.etag_of(shown, ignoring=self.volatile)):
            raise Stale("Somebody changed this since you read it. Read it again, then repeat your change.")

    def _write(
        self, handler: Handler, request: PortalAPIRequest, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Response:
        body, dry_run = request.raw_body(), request.dry_run
        key = request.headers.get("Idempotency-Key")
        caller = f"{request.reach.actor.kind}:{request.reach.actor.id}"
        if key is not None and not dry_run:
            wanted = idempotency.request_hash(request.method or "", request.get_full_path(), body)
            if (first := idempotency.claim(caller, idempotency.checked_key(key), wanted)) is not None:
                return first
        self._check_match(request, kwargs)
        response = handler(self, request, *args, **kwargs)
        if dry_run:
            transaction.set_rollback(True)
            response["Dry-Run"] = "true"
        elif key is not None:
            idempotency.keep(caller, key, response)
        return response


def _within_reach(handler: Handler) -> Handler:
    @functools.wraps(handler)
    def run(self: PortalAPIView, request: PortalAPIRequest, *args: Any, **kwargs: Any) -> Response:
        with _reaching(request.reach):
            if request.is_write:
                return self._write(handler, request, args, kwargs)
            return handler(self, request, *args, **kwargs)

    return run


def _reaching(reach: Any) -> AbstractContextManager[Any]:
    opener: Callable[[Any], AbstractContextManager[Any]] = import_string(settings.API_REACHING)
    return opener(reach)


def _is_many(field: Any) -> bool:
    return type(field).__name__ in {"ListField", "MultipleChoiceField"}
