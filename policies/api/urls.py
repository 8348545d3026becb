"""Addresses of this app's REST resources, under `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from policies.api import application_views as applications
from policies.api import arming_views as arming
from policies.api import evaluation
from policies.api import finding_views as findings
from policies.api import policy_views as policies
from policies.api import setting_views as settings

_APPLICATION = "applications/<slug:application_id>/"

router_urls: list[URLPattern | URLResolver] = [
    path("applications/", applications.ApplicationList.as_view(), name="application-list"),
    path(_APPLICATION, applications.ApplicationDetail.as_view(), name="application-detail"),
    path(f"{_APPLICATION}rules/", applications.RuleList.as_view(), name="rule-list"),
    path(f"{_APPLICATION}rules/<slug:rule_id>/", applications.RuleDetail.as_view(), name="rule-detail"),
    path("policies/", policies.PolicyList.as_view(), name="policy-list"),
    path("policies/<slug:policy_id>/", policies.PolicyDetail.as_view(), name="policy-detail"),
    path("policies/<slug:policy_id>/arm/", arming.PolicyArm.as_view(), name="policy-arm"),
    path("policies/<slug:policy_id>/move/", policies.PolicyMove.as_view(), name="policy-move"),
    path("agent-settings/", settings.SettingList.as_view(), name="setting-list"),
    path("agent-settings/effective/", settings.EffectiveSettings.as_view(), name="setting-effective"),
    path("agent-settings/<slug:setting_id>/", settings.SettingDetail.as_view(), name="setting-detail"),
    path("agent-settings/<slug:setting_id>/move/", settings.SettingMove.as_view(), name="setting-move"),
    path("evaluate/", evaluation.Evaluate.as_view(), name="evaluate"),
    path("computers/<slug:reference>/mode/", settings.ComputerMode.as_view(), name="computer-mode"),
    path("computer-groups/<slug:reference>/mode/", settings.GroupMode.as_view(), name="group-mode"),
    path(f"{_APPLICATION}findings/", findings.ApplicationFindings.as_view(), name="application-findings"),
    path("findings/", findings.FindingList.as_view(), name="finding-list"),
    path("findings/fix/", findings.FindingFix.as_view(), name="finding-fix"),
    path("findings/accept/", findings.FindingAccept.as_view(), name="finding-accept"),
    path("pending-changes/", settings.ChangeList.as_view(), name="change-list"),
]
