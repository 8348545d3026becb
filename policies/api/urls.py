"""Addresses of this app's REST resources, under `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from policies.api import application_views as applications
from policies.api import arming_views as arming
from policies.api import baseline_views as baselines
from policies.api import catalogue_views as catalogue
from policies.api import copy_views as copying
from policies.api import evaluation
from policies.api import finding_views as findings
from policies.api import order_views as ordering
from policies.api import policy_views as policies
from policies.api import rule_views as rules
from policies.api import setting_views as settings
from policies.api import undo_views as undoing
from policies.api import upkeep_views as upkeep

_APPLICATION = "applications/<slug:application_id>/"
_BASELINE = "baselines/<slug:baseline_id>/"
_SUBSCRIPTION = "baseline-subscriptions/<slug:subscription_id>/"
_EXCEPTION = "baseline-exceptions/<slug:exception_id>/"
_UPDATE = "catalogue-updates/<slug:update_id>/"

router_urls: list[URLPattern | URLResolver] = [
    path("applications/", applications.ApplicationList.as_view(), name="application-list"),
    path("applications/merge/", upkeep.ApplicationMerge.as_view(), name="application-merge"),
    path("applications/replace-certificate/", upkeep.CertificateReplacement.as_view(), name="certificate-replacement"),
    path(f"{_APPLICATION}split/", upkeep.ApplicationSplit.as_view(), name="application-split"),
    path(f"{_APPLICATION}collapse/", upkeep.ApplicationCollapse.as_view(), name="application-collapse"),
    path("applications/preview/", applications.RulesPreview.as_view(), name="rules-preview"),
    path("applications/import/", applications.ApplicationImport.as_view(), name="application-import"),
    path(_APPLICATION, applications.ApplicationDetail.as_view(), name="application-detail"),
    path(f"{_APPLICATION}duplicate/", applications.ApplicationDuplicate.as_view(), name="application-duplicate"),
    path(f"{_APPLICATION}preview/", applications.ApplicationPreview.as_view(), name="application-preview"),
    path(f"{_APPLICATION}export/", applications.ApplicationExport.as_view(), name="application-export"),
    path(f"{_APPLICATION}rules/", rules.RuleList.as_view(), name="rule-list"),
    path(f"{_APPLICATION}rules/bulk/", rules.RuleBulk.as_view(), name="rule-bulk"),
    path(f"{_APPLICATION}rules/<slug:rule_id>/", rules.RuleDetail.as_view(), name="rule-detail"),
    path("policies/", policies.PolicyList.as_view(), name="policy-list"),
    path("policies/bulk/", ordering.PolicyBulk.as_view(), name="policy-bulk"),
    path("undo-steps/", undoing.UndoStepList.as_view(), name="undo-list"),
    path("undo-steps/<slug:step_id>/undo/", undoing.UndoStepUndo.as_view(), name="undo"),
    path("policies/copy/", copying.PolicyCopy.as_view(), name="policy-copy"),
    path("baselines/", baselines.BaselineList.as_view(), name="baseline-list"),
    path(_BASELINE, baselines.BaselineDetail.as_view(), name="baseline-detail"),
    path(f"{_BASELINE}policies/", baselines.BaselineDrift.as_view(), name="baseline-drift"),
    path(f"{_BASELINE}carry/", baselines.BaselineCarry.as_view(), name="baseline-carry"),
    path(f"{_BASELINE}subscriptions/", baselines.BaselineSubscriptions.as_view(), name="baseline-subscriptions"),
    path(_SUBSCRIPTION, baselines.SubscriptionDetail.as_view(), name="subscription-detail"),
    path(f"{_SUBSCRIPTION}stop/", baselines.SubscriptionStop.as_view(), name="subscription-stop"),
    path(f"{_SUBSCRIPTION}put-back/", baselines.SubscriptionPutBack.as_view(), name="subscription-put-back"),
    path("baseline-exceptions/", baselines.ExceptionList.as_view(), name="exception-list"),
    path(_EXCEPTION, baselines.ExceptionDetail.as_view(), name="exception-detail"),
    path(f"{_EXCEPTION}accept/", baselines.ExceptionAccept.as_view(), name="exception-accept"),
    path(f"{_EXCEPTION}end/", baselines.ExceptionEnd.as_view(), name="exception-end"),
    path("policies/<slug:policy_id>/", policies.PolicyDetail.as_view(), name="policy-detail"),
    path("policies/<slug:policy_id>/arm/", arming.PolicyArm.as_view(), name="policy-arm"),
    path("policies/<slug:policy_id>/move/", ordering.PolicyMove.as_view(), name="policy-move"),
    path("agent-settings/", settings.SettingList.as_view(), name="setting-list"),
    path("agent-settings/effective/", settings.EffectiveSettings.as_view(), name="setting-effective"),
    path("agent-settings/<slug:setting_id>/", settings.SettingDetail.as_view(), name="setting-detail"),
    path("agent-settings/<slug:setting_id>/move/", settings.SettingMove.as_view(), name="setting-move"),
    path("catalogue-updates/", catalogue.UpdateList.as_view(), name="catalogue-update-list"),
    path(f"{_UPDATE}", catalogue.UpdateDetail.as_view(), name="catalogue-update-detail"),
    path(f"{_UPDATE}apply/", catalogue.UpdateApply.as_view(), name="catalogue-update-apply"),
    path(f"{_UPDATE}discard/", catalogue.UpdateDiscard.as_view(), name="catalogue-update-discard"),
    path("evaluate/", evaluation.Evaluate.as_view(), name="evaluate"),
    path("computers/<slug:reference>/mode/", settings.ComputerMode.as_view(), name="computer-mode"),
    path("computer-groups/<slug:reference>/mode/", settings.GroupMode.as_view(), name="group-mode"),
    path(f"{_APPLICATION}findings/", findings.ApplicationFindings.as_view(), name="application-findings"),
    path("findings/", findings.FindingList.as_view(), name="finding-list"),
    path("findings/fix/", findings.FindingFix.as_view(), name="finding-fix"),
    path("findings/accept/", findings.FindingAccept.as_view(), name="finding-accept"),
    path("pending-changes/", settings.ChangeList.as_view(), name="change-list"),
]
