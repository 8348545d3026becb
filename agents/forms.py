"""The shapes of this app's forms. Rules are in the activities."""

from __future__ import annotations

from django import forms


class DeployForm(forms.Form):
    """Deploy Policies: `scope_value` is `level:target id`; `organization`: whose page it was pressed on;
    `typed`: the number of computers, for a deployment to everybody; `override`: why computers may be locked out."""

    scope_value = forms.CharField(max_length=80)
    organization = forms.CharField(max_length=60, required=False)
    note = forms.CharField(max_length=500, required=False)
    typed = forms.CharField(max_length=12, required=False)
    override = forms.CharField(max_length=500, required=False)

    def scope(self) -> tuple[str, str]:
        level, _, target = self.cleaned_data["scope_value"].partition(":")
        return level, target


class RollbackForm(forms.Form):
    note = forms.CharField(max_length=500, required=False)


class InstallKeyForm(forms.Form):
    """A new install key. Empty `max_uses`: no limit."""

    days = forms.IntegerField(min_value=1, max_value=90, initial=14, label="Expires after (days)")
    max_uses = forms.IntegerField(min_value=1, max_value=100_000, required=False, label="Uses (empty: no limit)")


class BanForm(forms.Form):
    reason = forms.CharField(max_length=500, required=False)
