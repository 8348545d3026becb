"""Telling people that a deny stopped something: who may be told, what waits, and the mail.

`denied` notes what was stopped (rows, in the caller's transaction); a task and a sweeper send. A policy tells a person
at once, then not again within an hour, unless ten times as much was stopped since.
"""

from policies.notices.people import addressees, checked_addresses
from policies.notices.waiting import denied

__all__ = ["addressees", "checked_addresses", "denied"]
