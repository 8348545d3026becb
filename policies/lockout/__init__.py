"""The lock-out guard: what must go on running on every computer, and which policies would stop it."""

from policies.lockout.essentials import KINDS, Essential, builtin_essentials, essential_of_rules
from policies.lockout.guard import Before, Lockout, Standing, lockouts_of

__all__ = [
    "KINDS",
    "Before",
    "Essential",
    "Lockout",
    "Standing",
    "builtin_essentials",
    "essential_of_rules",
    "lockouts_of",
]
