"""Between the portal's errors and Django's forms."""

from __future__ import annotations

from django.forms import Form

from portal.common.errors import PortalError


def put_errors(form: Form, error: PortalError) -> None:
    """Show a fault at the field that it points to, or on top of the form. Raises `error` again when a form cannot
    mend it: what is out of reach, or not allowed."""
    if error.status not in (409, 422):
        raise error
    faults = getattr(error, "errors", ())
    if not faults:
        form.add_error(None, error.message)
    for fault in faults:
        name = fault.pointer.lstrip("/").partition("/")[0]
        form.add_error(name if name in form.fields else None, fault.detail)
