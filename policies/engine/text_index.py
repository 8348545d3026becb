"""All patterns of one field, searched at once.

A literal is a dictionary entry. A wildcard or regular expression hangs in one Aho-Corasick automaton on a literal that
every match must contain, the rarest one, then the longest; what the automaton finds is verified exactly. Patterns
without such a literal are tried on every text.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import ahocorasick

from policies.engine.pattern_error import PatternError
from policies.engine.patterns import Matcher, fragments, is_regex, is_wildcard, matcher, names_stream

Candidate = tuple[Matcher, bool, int]


class TextIndex:
    """`match` gives the numbers of all patterns that a text matches; an empty text matches none."""

    __slots__ = ("_automaton", "_buckets", "_literals", "_streams", "_unanchored", "unreadable")

    def __init__(self, patterns: Mapping[str, int], os: str) -> None:
        """`patterns` maps normal patterns to numbers. Those that do not compile end up in `unreadable`."""
        self._streams = os == "windows"
        self._literals: dict[str, int] = {}
        self._unanchored: list[Candidate] = []
        self.unreadable: set[int] = set()
        searched: list[tuple[list[str], Candidate]] = []
        for pattern, number in patterns.items():
            if not is_wildcard(pattern) and not is_regex(pattern):
                self._literals[pattern] = number
                continue
            try:
                candidate = (matcher(pattern, os), names_stream(pattern), number)
            except PatternError:
                self.unreadable.add(number)
            else:
                searched.append((fragments(pattern, os), candidate))
        self._buckets = self._hang(searched)
        self._automaton = _automaton(self._buckets)

    def _hang(self, searched: Iterable[tuple[list[str], Candidate]]) -> dict[str, list[Candidate]]:
        searched = list(searched)
        uses = Counter(fragment for found, _ in searched for fragment in found)
        buckets: dict[str, list[Candidate]] = {}
        for found, candidate in searched:
            if found:
                rarest = min(found, key=lambda fragment: (uses[fragment], -len(fragment), fragment))
                buckets.setdefault(rarest, []).append(candidate)
            else:
                self._unanchored.append(candidate)
        return buckets

    @property
    def widest(self) -> int:
        """The largest number of patterns that hang on one literal: what a hostile text can make us verify."""
        return max(map(len, self._buckets.values()), default=0)

    @property
    def unanchored(self) -> int:
        """How many patterns are tried on every text."""
        return len(self._unanchored)

    def match(self, text: str) -> list[int]:
        if not text:
            return []
        literal = self._literals.get(text)
        found = [] if literal is None else [literal]
        # A Windows path carries a stream when it has a colon beyond the drive letter.
        stream = self._streams and text.find(":", 2) >= 0
        if self._automaton is not None:
            # A set: a text that repeats one literal a thousand times is still verified once.
            for fragment in {fragment for _, fragment in self._automaton.iter(text)}:
                for matches, named, number in self._buckets[fragment]:
                    if (named or not stream) and matches(text):
                        found.append(number)
        for matches, named, number in self._unanchored:
            if (named or not stream) and matches(text):
                found.append(number)
        return found


def _automaton(buckets: Mapping[str, list[Candidate]]) -> "ahocorasick.Automaton | None":
    if not buckets:
        return None
    automaton = ahocorasick.Automaton()
    for fragment in buckets:
        automaton.add_word(fragment, fragment)
    automaton.make_automaton()
    return automaton
