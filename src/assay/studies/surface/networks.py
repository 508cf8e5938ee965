"""The networks of a probed study, each trained at several learning rates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.run.probing.traces import Traces
from assay.studies.execution.store import Store
from assay.studies.plan import Plan
from assay.studies.results import RowResults, StudyResults
from assay.studies.study import common_name

RATE = "optim.lr"


@dataclass(frozen=True)
class Probed:
    """A finished run's traces, and whether its network is better than guessing."""

    traces: Traces
    has_learned: bool


@dataclass(frozen=True)
class Network:
    """Rows that differ in the learning rate alone.

    Attributes:
        name: what their names have in common.
        runs: by seed, then by learning rate.
    """

    name: str
    runs: Mapping[int, Mapping[float, Probed]]


def find_networks(plan: Plan, results: StudyResults, store: Store) -> list[Network]:
    """Return the networks with probed runs: the control's first, the others in the order of the study's rows."""
    groups: dict[str, list[RowResults]] = {}
    for rows in results.rows:
        apart_from_rate = {name: value for name, value in rows.row.changes.items() if name != RATE}
        # As JSON, because a dictionary cannot be a key.
        groups.setdefault(json.dumps(apart_from_rate, sort_keys=True, default=str), []).append(rows)
    control = results.setting.control
    ordered = sorted(groups.values(), key=lambda members: all(rows.row.name != control for rows in members))
    networks = [_network(members, plan, store) for members in ordered]
    return [network for network in networks if network.runs]


def shared_runs(
    network: Network, other: Network, seed: int, *, learned: bool
) -> tuple[Sequence[Traces], Sequence[Traces]]:
    """Return both networks' traces of a seed at their shared learning rates; ``learned``: where both learned."""
    ours, theirs = network.runs.get(seed, {}), other.runs.get(seed, {})
    rates = sorted(ours.keys() & theirs.keys())
    if learned:
        rates = [rate for rate in rates if ours[rate].has_learned and theirs[rate].has_learned]
    return [ours[rate].traces for rate in rates], [theirs[rate].traces for rate in rates]


def _network(members: Sequence[RowResults], plan: Plan, store: Store) -> Network:
    runs: dict[int, dict[float, Probed]] = {}
    for rows in members:
        for result in rows.results:
            traces = store.traces(plan.jobs[rows.row.name][result.seed])
            if traces:
                runs.setdefault(result.seed, {})[rows.recipe.optim.lr] = Probed(traces, result.has_learned)
    return Network(common_name([rows.row.name for rows in members]), runs)
