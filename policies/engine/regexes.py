"""Regular expressions of stored rules: RE2 only, linear in the text, whatever a person wrote.

Python's `re` is never given stored text: one rule could stop an agent for hours. Literals that every match
must contain are read by a small scanner that knows RE2's own syntax and gives up rather than guess: a wrong
literal would be a silent miss, and a silent miss of a deny is a bypass.
"""

from collections.abc import Callable

import re2

from policies.engine.pattern_error import PatternError
from policies.engine.regex_refusals import refusal

MAX_REGEX_CHARACTERS = 512
_SHORTEST_LITERAL = 3
_SPECIAL = frozenset("\\.+*?()|[]{}^$")

# RE2 folds KELVIN SIGN onto k and LONG S onto s; neither may reach an expression as itself. Half a surrogate
# pair has no UTF-8 form: as U+FFFD it is one character that no ordinary rule names.
_LOOKALIKES = {0x212A: 0xFFFD, 0x017F: 0xFFFD}
_SURROGATES = range(0xD800, 0xE000)
_REGEX_TEXT = {**_LOOKALIKES, **dict.fromkeys(_SURROGATES, 0xFFFD)}
# A wildcard is exact, so half pairs must stay apart from each other and from U+FFFD: they move to the end of
# plane 16.
_WILDCARD_TEXT = {code: 0x10F800 + code - 0xD800 for code in _SURROGATES}


def literal(text: str) -> str:
    """`text` as an expression takes it literally."""
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)


def _options(*, ignore_case: bool) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.never_capture = True
    options.case_sensitive = not ignore_case
    return options


_EXACT_CASE = _options(ignore_case=False)
_ANY_CASE = _options(ignore_case=True)


def compiled(source: str, *, ignore_case: bool) -> Callable[[str], bool]:
    """An anchored test of a whole text. Raises PatternError, with its position in `source` if known."""
    if len(source) > MAX_REGEX_CHARACTERS:
        raise PatternError(
            "regex_too_long",
            f"A regex has at most {MAX_REGEX_CHARACTERS} characters, this one {len(source)}. Make it two rules.",
            MAX_REGEX_CHARACTERS,
        )
    options = _ANY_CASE if ignore_case else _EXACT_CASE
    return _full_match(source.translate(_LOOKALIKES), options, _REGEX_TEXT)


def compiled_wildcard(pattern: str, *, separator: str) -> Callable[[str], bool]:
    """A wildcard with `?` as a linear-time test; `*` crosses the separator, `?` is any other character."""
    one = "[^" + re2.escape(separator) + "]"
    pieces = {"*": ".*", "?": one}
    source = "".join(pieces.get(char) or re2.escape(char) for char in pattern.translate(_WILDCARD_TEXT))
    return _full_match(source, _EXACT_CASE, _WILDCARD_TEXT)


def _full_match(source: str, options: re2.Options, table: dict[int, int]) -> Callable[[str], bool]:
    try:
        expression = re2.compile(source, options)
    except re2.error as error:
        raise refusal(source, error.args[0]) from None
    except UnicodeEncodeError as error:
        message = "This holds half a character (a lone surrogate); a regex has to be valid text."
        raise PatternError("regex_not_text", message, error.start) from None
    full_match = expression.fullmatch

    def matches(text: str) -> bool:
        shown = text if text.isascii() else text.translate(table)
        return full_match(shown.encode()) is not None

    return matches


def mandatory_literals(source: str, *, ignore_case: bool) -> list[str]:
    """ASCII runs of three characters or more that every match contains; empty when none is certain.

    With `ignore_case` the runs are lower-cased, to be looked for in folded text.
    """
    runs = _LiteralScanner(source).runs()
    return [run.lower() if ignore_case else run for run in runs if len(run) >= _SHORTEST_LITERAL]


class _Unsure(Exception):
    """The scanner met syntax it does not follow: no literal of this expression is certain."""


class _LiteralScanner:
    """Walks the top level of an RE2 expression. Groups, classes and anything optional end the current run."""

    # Escapes of one letter that stand alone; those with an argument or a reach (\\p, \\x, \\Q) are not here.
    _PLAIN_ESCAPES = frozenset("dDsSwWbBAzCaftnrv")

    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._run: list[str] = []
        self._found: list[str] = []

    def runs(self) -> list[str]:
        try:
            while self._position < len(self._source):
                self._step()
        except (_Unsure, IndexError):
            return []
        self._end_run()
        return self._found

    def _step(self) -> None:
        char = self._source[self._position]
        if char == "|":
            raise _Unsure
        if char == "\\":
            self._escape()
        elif char == "(":
            self._group()
        elif char == "[":
            self._end_run()
            self._skip_class()
        elif char in "*?{":
            self._repeat_from_zero()
        else:
            self._position += 1
            if char in ".^$+" or not char.isascii():
                self._end_run()
            else:
                self._run.append(char)

    def _end_run(self) -> None:
        if self._run:
            self._found.append("".join(self._run))
            self._run.clear()

    def _repeat_from_zero(self) -> None:
        """`*`, `?` and `{n,m}` alike: what stands before may be absent, so it leaves the run."""
        if self._run:
            self._run.pop()
        self._end_run()
        if self._source[self._position] == "{":
            self._position = self._source.index("}", self._position) if "}" in self._rest() else len(self._source)
        self._position += 1

    def _rest(self) -> str:
        return self._source[self._position :]

    def _escape(self) -> None:
        escaped = self._source[self._position + 1]
        self._position += 2
        if escaped in self._PLAIN_ESCAPES:
            self._end_run()
        elif escaped.isascii() and not escaped.isalnum():
            self._run.append(escaped)
        else:
            raise _Unsure

    def _group(self) -> None:
        """Skip to the closing parenthesis. Flags such as `(?i)` reach beyond: then nothing is certain."""
        self._end_run()
        depth = 0
        while True:
            char = self._source[self._position]
            if char == "(":
                depth += 1
                self._refuse_flags()
            if char == "\\":
                self._skip_escape()
            elif char == "[":
                self._skip_class()
            else:
                self._position += 1
                depth -= char == ")"
                if depth == 0:
                    return

    def _refuse_flags(self) -> None:
        opening = self._source[self._position + 1 : self._position + 4]
        if opening.startswith("?") and not opening.startswith(("?:", "?P<", "?<")):
            raise _Unsure

    def _skip_escape(self) -> None:
        if self._source[self._position + 1] in "QE":
            raise _Unsure
        self._position += 2

    def _skip_class(self) -> None:
        """A class ends at the first `]` that is neither escaped nor its first member."""
        self._position += 1
        if self._source[self._position] == "^":
            self._position += 1
        if self._source[self._position] == "]":
            self._position += 1
        while self._source[self._position] != "]":
            if self._source.startswith("[:", self._position):
                raise _Unsure
            if self._source[self._position] == "\\":
                self._skip_escape()
            else:
                self._position += 1
        self._position += 1
