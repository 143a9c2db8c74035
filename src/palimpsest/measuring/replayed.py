"""What a task replays: what it took to dream it, and what the evaluator sees in it."""

from collections.abc import Mapping, Sequence
from typing import Any


class Replayed:
    """Entries as results.json has them, one for each source and learner. `list` is a part of checkpoints."""

    def __init__(self) -> None:
        self.list: list[dict[str, Any]] = []

    def entry(self, source: str, learner: str) -> dict[str, Any]:
        """What is known of a source that a learner learns from; a new entry where nothing is."""
        kind = {"source": source, "learner": learner}
        for each in self.list:
            if kind.items() <= each.items():
                return each
        self.list.append(kind)
        return kind

    def dreamt(self, source: str, learner: str, record: Mapping[str, Any]) -> None:
        """A pool was filled, perhaps once more: its record, as `sources.Pool` has it, summed over fillings."""
        entry = self.entry(source, learner)
        labelled, accepted = (
            {str(c): count + entry.get(name, {}).get(str(c), 0) for c, count in record[name].items()}
            for name in ("labelled", "accepted")
        )
        drawn = entry.get("drawn", 0) + record["drawn"]
        short = dict.fromkeys([*entry.get("filled_up", ()), *record["filled_up"]])
        entry |= {
            "drawn": drawn,
            "labelled": labelled,
            "accepted": accepted,
            "wasted": 1 - sum(accepted.values()) / max(drawn, 1),
            "filled_up": [c for c in short if accepted[str(c)]],
            "empty": [int(c) for c, count in accepted.items() if not count],
        }


def starving(seen: Mapping[str, Any], classes: int, names: Sequence[str]) -> str:
    """A warning of classes that have far less than their equal share, among so many, of what is replayed; "" where none has."""
    if not seen["starving"]:
        return ""
    few = ", ".join(f"{names[c]} ({seen['shares'][c]:.1%})" for c in seen["starving"])
    return f"in the {seen['source']} of the {seen['learner']}, the evaluator sees too little of {few}; due to each: {1 / classes:.1%}"
