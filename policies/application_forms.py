"""Shapes of what people type about applications and file rules. Rules live in the activities."""

from __future__ import annotations

from typing import Any

from django import forms

from policies.application_list import ORIGINS, SORTS
from policies.forms import QueryForm, text_field
from policies.models import Category, Kind
from policies.portable import MOST_CHARACTERS
from portal.tenants.models import OperatingSystem


class ApplicationForm(forms.Form):
    """A custom application; its system is fixed once it is made."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}))
    os = forms.ChoiceField(choices=OperatingSystem.choices, label="System")
    category = forms.ChoiceField(choices=[("", "None"), *Category.choices], required=False)
    publisher = text_field("Publisher", 120)
    description = text_field("Description", 2000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new:
            del self.fields["os"]


class RuleForm(forms.Form):
    """One file rule; an empty box is not looked at. Text is kept as typed, so that positions stay true."""

    hash = text_field("Hash", 200, strip=False)
    path = text_field("Path", 4096, strip=False)
    process = text_field("Process", 4096, strip=False)
    created_by = text_field("Created By", 4096, strip=False)
    certificate = text_field("Signer", 4096, strip=False)
    note = text_field("Note", 500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for box in self.conditions:
            box.field.widget.attrs["placeholder"] = "not looked at"

    @property
    def conditions(self) -> list[forms.BoundField]:
        return [self[name] for name in ("path", "process", "created_by", "certificate", "hash")]


class PasteForm(forms.Form):
    """Many rules, one a line. The text is kept as it was typed."""

    lines = forms.CharField(
        label="Rules",
        max_length=8_000_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "class": "mono", "spellcheck": "false", "autofocus": True}),
    )


class DuplicateForm(forms.Form):
    """The name of a copy."""

    name = forms.CharField(label="Name of the copy", max_length=120, widget=forms.TextInput(attrs={"autofocus": True}))


class ImportForm(forms.Form):
    """A file of applications, chosen or pasted; `confirmed` once it was looked at."""

    file = forms.FileField(label="File", required=False, widget=forms.ClearableFileInput(attrs={"accept": ".json"}))
    text = forms.CharField(
        label="Or its text", required=False, strip=False, widget=forms.Textarea(attrs={"rows": 6, "class": "mono"})
    )
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput())

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        chosen = data.get("file")
        if chosen is not None:
            if chosen.size > MOST_CHARACTERS:
                raise forms.ValidationError(f"A file may have {MOST_CHARACTERS:,} characters at most.")
            try:
                data["text"] = chosen.read().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise forms.ValidationError("This file is no UTF-8 text.") from error
        if not data.get("text", "").strip():
            raise forms.ValidationError("Choose a file, or paste its text.")
        return data


class TryForm(forms.Form):
    """Facts to try an application with."""

    path = text_field("Path", 4096)
    sha256 = text_field("Hash", 64)
    process = text_field("Process", 4096)
    created_by = text_field("Created By", 4096)
    certificate = text_field("Signer", 4096)


class ApplicationFilter(QueryForm):
    """The query string of the applications list; values that make no sense are left out."""

    q = text_field("Filter", 120)
    origin = forms.ChoiceField(choices=[("", ""), *ORIGINS], required=False)
    kind = forms.ChoiceField(choices=[("", ""), *Kind.choices], required=False)
    os = forms.ChoiceField(choices=[("", ""), *OperatingSystem.choices], required=False)
    category = forms.ChoiceField(choices=[("", ""), *Category.choices], required=False)
    unused = forms.BooleanField(required=False)
    no_policy = forms.BooleanField(required=False)
    many_hashes = forms.BooleanField(required=False)
    hash_only = forms.BooleanField(required=False)
    shares_hashes = forms.BooleanField(required=False)
    mine = forms.BooleanField(required=False)
    include_hidden = forms.BooleanField(required=False)
    sort = forms.ChoiceField(choices=[("", ""), *((f"{d}{n}", n) for n in SORTS for d in ("", "-"))], required=False)
