"""REST views of the arm switch: a disabled policy is on for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from policies import arming, queries
from policies.api import serializers as shapes
from policies.arming import Sent
from policies.models import Policy
from portal.common import clock
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.serializers import InstantField, StrictSerializer
from portal.common.api.views import PortalAPIView
from portal.tenants.capabilities import Capability

_WRITE = Capability.POLICY_WRITE


class ArmBody(StrictSerializer):
    """Exactly one of `until` and `minutes`; at most 24 hours ahead."""

    until = InstantField(required=False)
    minutes = serializers.IntegerField(required=False, min_value=1, max_value=24 * 60)
    deploy = serializers.BooleanField(required=False, help_text="Start the deployment to its scope. True unless said.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("until" in attrs) == ("minutes" in attrs):
            raise serializers.ValidationError("Send one of until and minutes.")
        return attrs


class ArmAnswer(serializers.Serializer[Any]):
    policy = shapes.PolicyAnswer()
    deployment = serializers.UUIDField(
        source="deployment.id", default=None, allow_null=True, help_text="What was started; null when nothing was."
    )
    not_sent = serializers.CharField(source="why_not", help_text="Why nothing was sent, when that was asked for.")


class PolicyArm(PortalAPIView):
    """Turn a disabled policy on for a while: it goes off by itself, on the computer, when the time is over."""

    needs = {"POST": _WRITE, "DELETE": _WRITE}
    body = {"POST": ArmBody}
    answer = {"GET": ArmAnswer, "POST": ArmAnswer, "DELETE": ArmAnswer}
    statuses = {"DELETE": 200}
    examples = {"POST": ({"minutes": 30}, None)}

    def current(self, request: PortalAPIRequest, policy_id: str) -> Policy:
        return queries.policy(request.reach, policy_id)

    def post(self, request: PortalAPIRequest, policy_id: str) -> Response:
        """Arm it, and send that to its computers. Armed again, the new end counts."""
        found, wanted = self.current(request, policy_id), self.parsed()
        until = wanted.get("until") or clock.now() + timedelta(minutes=wanted.get("minutes", 0))
        return self._told(
            request, arming.arm_and_send(request.reach, found.id, until=until, deploy=wanted.get("deploy", True))
        )

    def delete(self, request: PortalAPIRequest, policy_id: str) -> Response:
        """Disarm it now, and send that. One that is not armed stays as it is, and nothing is sent."""
        found = self.current(request, policy_id)
        return self._told(request, arming.disarm_and_send(request.reach, found.id, deploy=found.is_armed()))

    def _told(self, request: PortalAPIRequest, sent: Sent) -> Response:
        told = Sent(queries.policy(request.reach, sent.policy.id), sent.deployment, sent.why_not)
        return Response(self.represent(told))
