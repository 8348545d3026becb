"""Every component with every state once: what `templates/gallery.html` needs. For tests and for looking at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django import forms

from portal.common import clock
from portal.common.paging import Page

HERE = Path(__file__).parent
HOSTILE = "invoice\u202efdp.exe"


@dataclass(frozen=True)
class Tenant:
    name: str
    slug: str
    color: str
    initials: str


class PolicyForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(help_text="Proposed from scope, application and purpose.")
    path = forms.CharField(required=False)
    status = forms.ChoiceField(choices=[("inherit", "Inherit"), ("secured", "Secured")])
    order = forms.IntegerField(min_value=101, error_messages={"min_value": "Below 101 no policy can be placed."})
    reason = forms.CharField(widget=forms.Textarea, required=False)
    log = forms.BooleanField(required=False, label="Log every use")


def context() -> dict[str, Any]:
    form = PolicyForm({"name": "grp-finance-xero-permit", "order": "100", "status": "inherit"})
    form.add_error(None, "Nothing was saved: one field needs another look.")
    now: datetime = clock.now()
    return {
        "organizations": [
            Tenant(f"{color.title()} Customer", color, color, color[:2].upper())
            for color in ("teal", "plum", "moss", "rust", "navy", "rose", "sand", "iron")
        ],
        "form": form,
        "hostile_name": HOSTILE,
        "hostile_path": f"c:\\users\\jdoe\\downloads\\very long folder name that goes on\\and on\\{HOSTILE}",
        "just_now": now - timedelta(seconds=12),
        "yesterday": now - timedelta(days=1),
        "in_an_hour": now + timedelta(hours=1),
        "page": Page((), next="cursor", previous="cursor"),
        "facts": [
            ("Path", f"c:\\temp\\{HOSTILE}"),
            ("Signer", "Acme Ltd"),
            ("Size", ""),
        ],
        "actions": [
            ("permit", "Permit", "permit", "check"),
            ("fence", "Permit, ringfenced", "fence", "grid-4x4"),
            ("deny", "Deny", "deny", "x"),
        ],
        "tabs": [
            ("rules", "Rules", "?tab=rules", 5),
            ("used", "Used by", "?tab=used", 2),
            ("history", "History", "?tab=h", None),
        ],
        "columns": [("signer", "Signer"), ("parent", "Parent")],
        "verbs": [("verb", "move", "Move", ""), ("verb", "disable", "Disable", "deny")],
        "numbers": [3, 0, 4, 9, 12, 7, 3, 2, 2, 8],
    }
