"""Addresses of this app's screens: under one organization, and spanning all (`/all/`)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from policies.views import applications, arming, evaluation, linting, evaluation, modes, policies, policy_forms, settings

_APPLICATION = "applications/<uuid:application>/"

_everywhere: list[URLPattern | URLResolver] = [
    path("lint/", linting.lint, name="lint"),
    path("lint/export/", linting.lint_export, name="lint-export"),
    path("policies/", policies.policy_list, name="policy-list"),
    path("applications/", applications.application_list, name="application-list"),
    path(_APPLICATION, applications.application_detail, name="application-detail"),
]

organization_urls: list[URLPattern | URLResolver] = [
    *_everywhere,
    path("policies/new/", policy_forms.policy_create, name="policy-create"),
    path("policies/name/", policy_forms.policy_name, name="policy-name"),
    path("policies/schedule/", policy_forms.policy_schedule, name="policy-schedule"),
    path("policies/<uuid:policy>/edit/", policy_forms.policy_edit, name="policy-edit"),
    path("policies/<uuid:policy>/switch/", policies.policy_switch, name="policy-switch"),
    path("policies/<uuid:policy>/arm/", arming.policy_arm, name="policy-arm"),
    path("policies/<uuid:policy>/disarm/", arming.policy_disarm, name="policy-disarm"),
    path("policies/<uuid:policy>/delete/", policies.policy_delete, name="policy-delete"),
    path("policies/<uuid:policy>/move/", policies.policy_move, name="policy-move"),
    path("lint/fix/", linting.lint_fix, name="lint-fix"),
    path("lint/accept/", linting.lint_accept, name="lint-accept"),
    path("lint/withdraw/", linting.lint_withdraw, name="lint-withdraw"),
    path(f"{_APPLICATION}rules/<uuid:rule>/condition/", linting.lint_condition, name="lint-condition"),
    path("evaluate/", evaluation.evaluate, name="evaluate"),
    path("evaluate/start/", evaluation.evaluate_start, name="evaluate-start"),
    path("settings/agent/", settings.setting_list, name="setting-list"),
    path("settings/agent/new/", settings.setting_create, name="setting-create"),
    path("settings/agent/<uuid:setting>/", settings.setting_edit, name="setting-edit"),
    path("settings/agent/<uuid:setting>/delete/", settings.setting_delete, name="setting-delete"),
    path("settings/agent/<uuid:setting>/effects/", settings.setting_delete_preview, name="setting-delete-preview"),
    path("settings/agent/<uuid:setting>/move/", settings.setting_move, name="setting-move"),
    path("computers/<uuid:computer>/mode/", modes.computer_mode, name="computer-mode"),
    path("groups/<slug:group>/mode/", modes.group_mode, name="group-mode"),
    path("applications/new/", applications.application_create, name="application-create"),
    path(f"{_APPLICATION}edit/", applications.application_edit, name="application-edit"),
    path(f"{_APPLICATION}delete/", applications.application_delete, name="application-delete"),
    path(f"{_APPLICATION}rules/", applications.rule_save, name="rule-create"),
    path(f"{_APPLICATION}rules/<uuid:rule>/", applications.rule_save, name="rule-edit"),
    path(f"{_APPLICATION}rules/<uuid:rule>/delete/", applications.rule_delete, name="rule-delete"),
]
all_urls: list[URLPattern | URLResolver] = [*_everywhere]
