"""Rows for tests, made plainly. Names are given, so that a failing test names somebody."""

from __future__ import annotations

from typing import Any

from django.utils.text import slugify

from portal.accounts.models import Membership, Role, User
from portal.accounts.reaches import reach_of_user
from portal.common import registry
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach

PASSWORD = "correct horse battery staple"
SYSTEM = system_reach("tests")


def organization(name: str, parent: Organization | None = None, **fields: Any) -> Organization:
    return Organization.objects.within(SYSTEM).create(
        **{"name": name, "slug": slugify(name), "parent": parent, **fields}
    )


def group(of: Organization, name: str, **fields: Any) -> ComputerGroup:
    """A computer group, with whatever the higher floors add to a new one (its default deny policy)."""
    made = ComputerGroup.objects.within(SYSTEM).create(
        **{"organization": of, "name": name, "slug": slugify(name), **fields}
    )
    for hook in registry.group_hooks:
        hook(SYSTEM, made)
    return made


def computer(in_group: ComputerGroup, name: str, **fields: Any) -> Computer:
    return Computer.objects.within(SYSTEM).create(
        **{
            "organization": in_group.organization,
            "group": in_group,
            "name": name,
            "machine_id": f"machine-{in_group.organization.slug}-{name}",
            "os": in_group.os,
            **fields,
        }
    )


def person(name: str, role: Role, at: Organization, **fields: Any) -> User:
    email = f"{slugify(name)}@{at.slug}.example"
    user = User.objects.create_user(email=email, password=PASSWORD, name=name)
    Membership.objects.within(SYSTEM).create(organization=at, user=user, role=role, **fields)
    return user


def reach(user: User) -> Reach:
    return reach_of_user(user)
