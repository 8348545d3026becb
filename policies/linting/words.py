"""What each finding is called, why it matters in three months, and what its remedy does: the words of the screens."""

from __future__ import annotations

from policies.engine.lint import Code

TITLES: dict[Code, str] = {
    Code.SHADOWED: "Policies that never decide",
    Code.UNREACHABLE: "Policies and applications without rules",
    Code.UNREADABLE: "Rules that cannot be read",
    Code.UNKNOWN_VARIABLE: "Rules with an unknown variable",
    Code.BROAD_WILDCARD: "Wildcards over nearly everything",
    Code.USER_WRITABLE: "Paths that users can write to",
    Code.BROAD_REGEX: "Regexes that let through too much",
    Code.SLOW_REGEX: "Regexes tried on every file",
    Code.INTERPRETER: "Interpreters without a ringfence",
    Code.HASH_ONLY: "Applications made of hashes",
    Code.CERTIFICATE_ONLY: "A signer alone",
    Code.PATH_ONLY: "A path alone",
    Code.TIE: "Equal orders that meet",
    Code.SHORT_NAME: "Short names (~1)",
    Code.STREAM: "Alternate data streams",
    Code.DUPLICATE: "Rules that are there twice",
    Code.COVERED: "Rules covered by another",
    Code.SHARED_RULES: "Applications with the same rules",
    Code.EXPIRED: "Expired policies",
    Code.EXPIRING: "Policies that expire soon",
    Code.UNUSED: "Policies unused for six weeks",
    Code.UNUSED_APPLICATION: "Applications that nothing uses",
    Code.FORWARD_SLASH: "Windows paths with “/”",
}

WHY: dict[Code, str] = {
    Code.SHADOWED: "Whoever reads it believes that it holds. In three months somebody relies on a block, a permit or a "
    "ringfence that was never in force.",
    Code.UNREACHABLE: "It looks like protection or permission and is neither. The next person adds a second one beside "
    "it, or trusts this one.",
    Code.UNREADABLE: "A computer cannot tell what it means. A deny or a ringfence on this application denies "
    "everything that reaches it; a permit is passed over.",
    Code.UNKNOWN_VARIABLE: "No computer knows what it stands for, so the rule cannot be read: a deny on this "
    "application denies everything that reaches it.",
    Code.BROAD_WILDCARD: "It permits nearly every file there is, malware that arrives next month included.",
    Code.USER_WRITABLE: "Anyone who can sign in, and anything that runs as them, can put a program there and it runs. "
    "This is how allowlists are walked around.",
    Code.BROAD_REGEX: "It matches files that its writer never thought of. Nobody notices until one of them is malware.",
    Code.SLOW_REGEX: "Every computer tries it on every file it starts. A few do not matter; an organization may have "
    "50 of them.",
    Code.INTERPRETER: "An interpreter does what it is told. Once it may run without limits, a document's macro can use "
    "it to fetch and start anything.",
    Code.HASH_ONLY: "Each update brings new hashes, so each update brings new requests. This is how applications with "
    "ten thousand hashes come about.",
    Code.CERTIFICATE_ONLY: "Publishers sign a lot: tools for remote control, old versions with known holes, drivers. "
    "All of it runs, and a renewed certificate with another subject breaks the rule in one day.",
    Code.PATH_ONLY: "Whoever can write to that folder decides what runs, and nobody looks at what it is.",
    Code.TIE: "Which one wins hangs on action and scope, not on what the list seems to say. Give them different "
    "orders and it is said.",
    Code.SHORT_NAME: "Computers resolve short names before they ask, so the rule looks right and never matches.",
    Code.STREAM: "Programs hide in streams, hardly anything good lives there. Make sure that a stream is meant, not a "
    "colon too many.",
    Code.DUPLICATE: "The next person changes one of the two and wonders why nothing happens.",
    Code.COVERED: "It has no effect, and it hides the rule that has. Deleting it changes no decision.",
    Code.SHARED_RULES: "Two definitions of one thing drift apart: a fix reaches one of them.",
    Code.EXPIRED: "It decides nothing any more and stands in the list as if it did.",
    Code.EXPIRING: "On that day people ask for what worked yesterday. Extend it now, or tell them.",
    Code.UNUSED: "What nobody uses is what nobody watches: an open door, or a rule that hides the ones that count.",
    Code.UNUSED_APPLICATION: "It changes nothing, and it is offered in every list of applications.",
    Code.FORWARD_SLASH: "It works: “/” is read as “\\”. Other tools, and people who search for the path, do not find "
    "it.",
}

# Remedies that are done at once: their button, and how a toast tells that it was done.
SAFE = {
    "delete_rule": ("Delete the rule", "Rule deleted"),
    "disable_policy": ("Disable", "Policy disabled"),
    "move_above": ("Move above…", "Policy moved"),
    "escape_dots": ("Write “\\.”", "Dots escaped"),
    "use_backslashes": ("Write “\\”", "Path rewritten"),
}
# Those that ask first even for one: they change what is decided.
PREVIEWED = frozenset({"move_above"})
# Remedies that lead to a screen.
LINKED = {
    "add_condition": "Add a condition",
    "collapse": "Collapse hashes",
    "merge": "Merge",
    "add_ringfence": "Add a ringfence",
    "edit_policy": "Edit",
}
