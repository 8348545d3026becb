"""What was seen of files, for tidying applications: fills `policies.upkeep.evidence`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from audit.search_scope import organization_numbers
from audit.stored_text import original, stored
from policies.upkeep.evidence import Asked, Evidence, Needles, Sighting, Sightings, facts_of
from portal.common import clock
from portal.tenants.models import ComputerGroup
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

MOST_FILES = 20_000


def sightings(reach: Reach, asked: Asked) -> Sightings:
    """Each (file, launching program, writing program) that the needles find, by file."""
    readable = frozenset(organization_numbers(reach, asked.organization, children=True))
    if not asked.everyone:
        return _read(asked, sorted(readable), readable, _groups(reach, asked))
    with reaching(system_reach("what a rule must go on matching")) as system:
        everywhere = organization_numbers(system, asked.organization, children=True)
        return _read(asked, everywhere, readable, _groups(system, asked))


def computers(reach: Reach, asked: Asked, files: Sequence[int]) -> Mapping[int, frozenset[int]]:
    """Per file the numbers of the computers in reach that it was seen on."""
    readable = organization_numbers(reach, asked.organization, children=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT file_id, computers FROM audit_computers_of_files(%s::int[], %s::int[], %s, %s::bigint[])",
            [readable, _groups(reach, asked), _since(asked), list(files)],
        )
        return {file: frozenset(found) for file, found in cursor.fetchall()}


EVIDENCE = Evidence(sightings=sightings, computers=computers)


def _groups(reach: Reach, asked: Asked) -> list[int]:
    """The groups whose computers run the operating system."""
    found = ComputerGroup.objects.within(reach).filter(os=asked.os).order_by("number")
    return list(found.values_list("number", flat=True))


def _since(asked: Asked) -> datetime:
    days = settings.AUDIT_RETENTION_DAYS if asked.days is None else min(asked.days, settings.AUDIT_RETENTION_DAYS)
    return clock.now() - timedelta(days=days)


def _read(asked: Asked, numbers: Sequence[int], readable: frozenset[int], groups: list[int]) -> Sightings:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT file_id, path, sha256, certificate, process, created_by, organizations, n, denied, explicit,"
            " is_script, more FROM audit_sightings(%s::int[], %s::int[], %s, %s::bytea[], %s::text[], %s::text[],"
            " %s::text[], %s::text[], %s)",
            [list(numbers), groups, _since(asked), *_parameters(asked.needles), MOST_FILES],
        )
        rows = cursor.fetchall()
    return Sightings(tuple(_sighting(row, readable, asked.os) for row in rows), any(row[-1] for row in rows))


def _parameters(needles: Needles) -> list[list[Any]]:
    patterns = (needles.paths, needles.certificates, needles.creators, needles.processes)
    return [[bytes.fromhex(sha256) for sha256 in needles.hashes], *([stored(one) for one in kind] for kind in patterns)]


def _sighting(row: Sequence[Any], readable: frozenset[int], os: str) -> Sighting:
    file, path, sha256, certificate, process, created_by, organizations, events, denied, explicit, is_script, _ = row
    path, certificate, process, created_by = map(original, (path, certificate, process, created_by))
    seen_by = frozenset(organizations)
    return Sighting(
        file=file,
        path=path,
        sha256=sha256,
        certificate=certificate,
        process=process,
        created_by=created_by,
        organizations=seen_by,
        events=events,
        denied=denied,
        explicit=explicit,
        is_script=is_script,
        visible=not seen_by.isdisjoint(readable),
        facts=facts_of(os, path, sha256, certificate, process, created_by),
    )
