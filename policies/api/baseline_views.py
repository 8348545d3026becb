"""REST views of baselines: their policies and drift, who follows, exceptions, carrying."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework.response import Response

from policies.api import baseline_shapes as shapes
from policies.baselines import drift, exempting, lifecycle, previewing, publishing, reading
from policies.baselines.lifecycle import Place
from policies.models import Baseline, BaselineException, Subscription
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.POLICY_READ, Capability.POLICY_WRITE
_ID = "01a1fd00-0000-7000-8000-000000000002"


class BaselineList(PortalAPIView):
    """Baselines that organizations in reach have or follow."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.BaselineBody}
    answer = {"GET": shapes.BaselineAnswer}
    query = shapes.BaselineQuery
    lists = True
    examples = {"POST": ({"organization": "northwind-it", "name": "Workstations", "os": "windows"}, None)}

    def get(self, request: PortalAPIRequest) -> Response:
        return self.listing(reading.baselines_listed(request.reach, **self.asked()), ("name", "id"))

    def post(self, request: PortalAPIRequest) -> Response:
        """Create a baseline with an empty template; write its policies at the scope `template`, level group."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted.pop("organization"))
        made = lifecycle.create_baseline(request.reach, organization_id=organization.id, **wanted)
        location = reverse("api:baseline-detail", args=[made.id])
        return self.one(reading.baseline(request.reach, made.id), location=location)


class BaselineDetail(PortalAPIView):
    """One baseline."""

    needs = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}
    body = {"PATCH": shapes.BaselineChange}
    answer = {"GET": shapes.BaselineAnswer}
    volatile = frozenset({"following", "exceptions"})
    examples = {"PATCH": ({"new_customers": True}, None)}

    def current(self, request: PortalAPIRequest, baseline_id: str) -> Baseline:
        return reading.baseline(request.reach, baseline_id)

    def get(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        return self.one(self.current(request, baseline_id))

    def patch(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        """Change fields; what is left out stays. Its system is fixed."""
        lifecycle.change_baseline(request.reach, baseline_id, **self.parsed())
        return self.one(self.current(request, baseline_id))

    def delete(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        """Delete a baseline that nobody follows, with its template."""
        lifecycle.delete_baseline(request.reach, baseline_id)
        return self.gone()


class BaselineDrift(PortalAPIView):
    """Its policies, and how far each follower in reach is from them, measured against what was accepted."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.DriftAnswer}
    query = shapes.DriftQuery

    def get(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        found = reading.baseline(request.reach, baseline_id)
        return self.one(drift.drift(request.reach, found, **self.asked()))


class BaselineCarry(PortalAPIView):
    """Publishing what the template says now, and bringing the followers to it."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.CarryBody}
    answer = {"GET": shapes.CarryPreviewAnswer, "POST": shapes.CarriedAnswer}
    examples = {"POST": ({"note": "Slack for all"}, None)}

    def get(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        """What it would do at each follower in reach, with conflicts and the computers touched."""
        found = reading.baseline(request.reach, baseline_id)
        return self.one(previewing.preview(request.reach, found))

    def post(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        """Publish and carry. At each follower it waits as pending changes; nothing is deployed."""
        wanted = self.parsed()
        carried = publishing.carry(
            request.reach, baseline_id, note=wanted.get("note", ""), subscription_ids=wanted.get("subscriptions")
        )
        return self.one(_told(carried))


class BaselineSubscriptions(PortalAPIView):
    """Who follows a baseline, in reach."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.FollowBody}
    answer = {"GET": shapes.SubscriptionAnswer, "POST": shapes.CarriedAnswer}
    lists = True
    examples = {"POST": ({"followers": [{"organization": "able-moose-accounting"}]}, None)}

    def get(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        found = reading.baseline(request.reach, baseline_id)
        return self.listing(reading.subscriptions(request.reach, baseline_id=found.id), ("created_at", "id"))

    def post(self, request: PortalAPIRequest, baseline_id: str) -> Response:
        """Let organizations follow; they get the newest version at once, or as soon as a worker comes to it."""
        found = reading.baseline(request.reach, baseline_id)
        places = [_place(request, wanted) for wanted in self.parsed()["followers"]]
        return self.one(_told(lifecycle.follow(request.reach, found.id, places=places)))


def _told(carried: publishing.Carried) -> dict[str, Any]:
    """What carrying did, as its answer has it."""
    names = ("created", "changed", "moved", "removed", "released", "misfits")
    return {
        "version": carried.version,
        "done": [{**_who(s), **{name: getattr(brought, name) for name in names}} for s, brought in carried.done],
        "waiting": carried.waiting,
        "faults": [{**_who(s), "why": why} for s, why in carried.faults],
        "out_of_hand": [s.id for s in carried.out_of_hand],
    }


def _who(subscription: Subscription) -> dict[str, Any]:
    return {"subscription": subscription.id, "organization": subscription.organization_id}


def _place(request: PortalAPIRequest, wanted: dict[str, Any]) -> Place:
    organization = tenants.organization(request.reach, wanted["organization"])
    group = tenants.group(request.reach, wanted["group"]) if wanted.get("group") else None
    return Place(organization.id, group.id if group else None)


class SubscriptionDetail(PortalAPIView):
    """That one organization follows a baseline."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.SubscriptionAnswer}

    def current(self, request: PortalAPIRequest, subscription_id: str) -> Subscription:
        return reading.subscription(request.reach, subscription_id)

    def get(self, request: PortalAPIRequest, subscription_id: str) -> Response:
        return self.one(self.current(request, subscription_id))


class SubscriptionStop(PortalAPIView):
    """Stopping to follow."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.StopBody}
    statuses = {"POST": 204}
    examples = {"POST": ({"policies": "keep"}, None)}

    def post(self, request: PortalAPIRequest, subscription_id: str) -> Response:
        """Stop following: the policies stay as own ones, or are deleted."""
        found = reading.subscription(request.reach, subscription_id)
        lifecycle.stop_following(request.reach, found.id, keep=self.parsed()["policies"] == "keep")
        return self.gone()


class SubscriptionPutBack(PortalAPIView):
    """Putting policies back."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.PutBackBody}
    answer = {"POST": shapes.SubscriptionAnswer}
    examples = {"POST": ({"sources": [_ID]}, None)}

    def post(self, request: PortalAPIRequest, subscription_id: str) -> Response:
        """Put policies back to what the baseline's version here says, or to what an exception accepted."""
        found = reading.subscription(request.reach, subscription_id)
        exempting.put_back(request.reach, found.id, self.parsed()["sources"])
        return self.one(reading.subscription(request.reach, found.id))


class ExceptionList(PortalAPIView):
    """Exceptions in reach, the next one to review first."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.ExceptionBody}
    answer = {"GET": shapes.ExceptionAnswer}
    query = shapes.ExceptionQuery
    lists = True
    examples = {
        "POST": (
            {"subscription": _ID, "source": _ID, "kind": "without", "reason": "Teams only", "review_on": "2027-03-01"},
            None,
        )
    }

    def get(self, request: PortalAPIRequest) -> Response:
        asked = self.asked()
        if "baseline" in asked:
            asked["baseline"] = str(asked["baseline"])
        return self.listing(reading.exceptions_listed(request.reach, **asked), ("review_on", "id"))

    def post(self, request: PortalAPIRequest) -> Response:
        """Leave one policy out at one follower, or have it otherwise there."""
        wanted = self.parsed()
        made = exempting.make_exception(request.reach, wanted.pop("subscription"), wanted.pop("source"), **wanted)
        location = reverse("api:exception-detail", args=[made.id])
        return self.one(reading.exception(request.reach, made.id), location=location)


class ExceptionDetail(PortalAPIView):
    """One exception."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.ExceptionAnswer}

    def current(self, request: PortalAPIRequest, exception_id: str) -> BaselineException:
        return reading.exception(request.reach, exception_id)

    def get(self, request: PortalAPIRequest, exception_id: str) -> Response:
        return self.one(self.current(request, exception_id))


class ExceptionAccept(PortalAPIView):
    """Looking at an exception again."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.ExceptionAcceptBody}
    answer = {"POST": shapes.ExceptionAnswer}
    examples = {"POST": ({"review_on": "2027-06-01"}, None)}

    def post(self, request: PortalAPIRequest, exception_id: str) -> Response:
        """Accept what the policy says now, until the new review date."""
        found = reading.exception(request.reach, exception_id)
        exempting.accept(request.reach, found.id, **self.parsed())
        return self.one(reading.exception(request.reach, found.id))


class ExceptionEnd(PortalAPIView):
    """Ending an exception."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.EndBody}
    answer = {"POST": shapes.ExceptionAnswer}
    examples = {"POST": ({"note": "Teams is gone"}, None)}

    def post(self, request: PortalAPIRequest, exception_id: str) -> Response:
        """End it: the baseline's version is put back, and waits as a pending change."""
        found = reading.exception(request.reach, exception_id)
        exempting.end_exception(request.reach, found.id, **self.parsed())
        return self.one(reading.exception(request.reach, found.id))
