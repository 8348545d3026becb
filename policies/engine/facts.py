"""What a computer observed about one file action: all a decision looks at besides policies and time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One observed action.

    `certificates` holds the subject of every valid signer of the file; a rule matches when any of them does.
    `process` is the path of the program that launched the file, `created_by` that of the program that wrote
    it. An unreadable value is the empty string, never a guess. Matching expects the normal form: pass facts
    through `normal_form.normal_facts` once, at the edge.
    """

    path: str
    sha256: str = ""
    certificates: tuple[str, ...] = ()
    process: str = ""
    created_by: str = ""
    command_line: str = ""
    user: str = ""
    os: str = "windows"
    action_type: str = "execute"
