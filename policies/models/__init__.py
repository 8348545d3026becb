"""Rows of the policies floor, by noun. Fields and constraints only; the rules stand in the activities."""

from policies.models.applications import Application, Category, FileRule, Kind
from policies.models.baselines import Baseline, BaselineException, BaselineVersion, ExceptionKind, Subscription
from policies.models.catalogue import CatalogueUpdate, UpdateState
from policies.models.changes import Change, Revision
from policies.models.linting import AcceptedFinding, LintResult
from policies.models.matches import MatchCount
from policies.models.modes import ModeWindow
from policies.models.notices import Notice
from policies.models.policies import Action, Policy, PolicyApplication, Status
from policies.models.scopes import Level
from policies.models.settings import AgentSetting, SettingName
from policies.models.undo import UndoStep

__all__ = [
    "AcceptedFinding",
    "Action",
    "AgentSetting",
    "Application",
    "Baseline",
    "BaselineException",
    "BaselineVersion",
    "CatalogueUpdate",
    "Category",
    "Change",
    "ExceptionKind",
    "FileRule",
    "Kind",
    "Level",
    "LintResult",
    "MatchCount",
    "ModeWindow",
    "Notice",
    "Policy",
    "PolicyApplication",
    "Revision",
    "SettingName",
    "Status",
    "Subscription",
    "UndoStep",
    "UpdateState",
]
