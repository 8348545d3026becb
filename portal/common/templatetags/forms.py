"""How a Django form field is drawn: `{% load forms %}{% control form.name %}`. Only looks; no rule of any form."""

from __future__ import annotations

from django import template
from django.forms import BoundField, widgets
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def control(field: BoundField, *, mono: bool = False) -> SafeString:
    """The widget of `field` with our classes, its help and its errors tied to it for screen readers."""
    attributes = {"class": _css_class(field.field.widget)}
    if mono:
        attributes["class"] += " mono"
        attributes["spellcheck"] = "false"
    told = [f"{field.id_for_label}-help"] if field.help_text else []
    if field.errors:
        attributes["class"] += " is-bad"
        attributes["aria-invalid"] = "true"
        told.append(f"{field.id_for_label}-error")
    if told:
        attributes["aria-describedby"] = " ".join(told)
    return field.as_widget(attrs={**field.field.widget.attrs, **attributes})


def _css_class(widget: widgets.Widget) -> str:
    if isinstance(widget, widgets.CheckboxInput | widgets.RadioSelect | widgets.CheckboxSelectMultiple):
        return "form-check-input"
    return "form-select" if isinstance(widget, widgets.Select) else "form-control"
