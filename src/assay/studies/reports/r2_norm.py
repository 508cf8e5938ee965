"""Report R2's second part: what batch normalisation does for VGG, on CIFAR-10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.recipe.named.r2 import NORMS, VGG
from assay.studies.reports.r2 import table
from assay.studies.study import Row

RATES = (0.0001, 0.0002, 0.0005, 0.001, 0.002)
PROTOCOL = "highest test accuracy over the 20 epochs (no held-out split); one run, no seed"
DEEP = {"model.name": "vgg19"}
DROPOUT = {"model.dropout": 0.5}
PROBED = {"probe.every": 20}


def _rows(
    name: str, changes: Mapping[str, Any], published: tuple[float, ...] | None = None, *, control: str | None = None
) -> tuple[Row, ...]:
    """Return a row for each learning rate; ``control`` names the network whose row at the same rate is its control."""
    return tuple(
        Row(
            f"{name}, lr {rate:g}",
            {**changes, "optim.lr": rate},
            published[place] if published else None,
            control=f"{control}, lr {rate:g}" if control else None,
        )
        for place, rate in enumerate(RATES)
    )


STUDIES = (
    table(
        "bn-accuracy",
        "How much better is VGG-A with batch norm?",
        Row("VGG-A", {}, 77.07, note="training accuracy near 100"),
        Row("VGG-A, norms", NORMS, 82.84, note="training accuracy near 100"),
        base=VGG,
        control="VGG-A",
        protocol=PROTOCOL,
        source="section 3.2",
    ),
    table(
        "bn-vgg19",
        "At which learning rates does a deep VGG learn, with batch norm and without?",
        *_rows("VGG-19", DEEP, (75.66, 10.00, 10.00, 10.00, 10.00)),
        *_rows("VGG-19 with norms", {**DEEP, **NORMS}, (73.27, 79.51, 84.12, 82.47, 85.00), control="VGG-19"),
        base=VGG,
        pairs="VGG-19 without norms at the same learning rate",
        protocol=PROTOCOL,
        source="section 3.3.1",
        notes=(
            "The report's text swaps the two figures at learning rate 0.0001, 75.66 and 73.27; here stand its table's.",
        ),
    ),
    table(
        "bn-dropout",
        "Is dropout in the head as good as batch norm?",
        *_rows("VGG-A with dropout", DROPOUT, (75.10, 76.93, 77.14, 75.08, 69.83)),
        *_rows("VGG-A with norms", NORMS, (73.55, 77.35, 81.82, 82.96, 81.55), control="VGG-A with dropout"),
        base=VGG,
        pairs="VGG-A with dropout at the same learning rate",
        protocol=PROTOCOL,
        source="section 3.3.1; it does not give the dropout's rate",
    ),
    table(
        "bn-smoothness",
        "Does batch norm make the loss's surface smoother?",
        *_rows("VGG-A", {}),
        *_rows("VGG-A with norms", NORMS, control="VGG-A"),
        base=VGG.but(PROBED),
        pairs="VGG-A without norms at the same learning rate",
        protocol=PROTOCOL,
        source="sections 3.3.1 to 3.3.3: figures without numbers, so its claims are orderings",
    ),
    table(
        "sgd-smoothness",
        "Does batch norm make the loss's surface smoother where the training is that of Santurkar et al.?",
        Row("VGG-A, SGD, lr 0.1"),
        Row("VGG-A with norms, SGD, lr 0.1", NORMS),
        base=VGG.but({**PROBED, "optim.name": "sgd", "optim.lr": 0.1}),
        control="VGG-A, SGD, lr 0.1",
        protocol=PROTOCOL,
        source="sections 3.3.1 to 3.3.3, after Santurkar et al. 2018, section 3 and appendix A.2",
        notes=(
            "The report trains with Adam, the paper with SGD at 0.1. No momentum is assumed, and as many epochs as in "
            "the report.",
        ),
    ),
    table(
        "dropout-smoothness",
        "Is the loss's surface as smooth with dropout as with batch norm?",
        *_rows("VGG-A with dropout", DROPOUT),
        *_rows("VGG-A with norms", NORMS, control="VGG-A with dropout"),
        base=VGG.but(PROBED),
        pairs="VGG-A with dropout at the same learning rate",
        protocol=PROTOCOL,
        source="section 3.3.1, figure 10",
        notes=("The figure has no numbers, and the report does not give the dropout's rate: 0.5 is assumed.",),
    ),
    table(
        "vgg19-smoothness",
        "Does batch norm make the loss's surface of a deep VGG smoother?",
        *_rows("VGG-19", DEEP),
        *_rows("VGG-19 with norms", {**DEEP, **NORMS}, control="VGG-19"),
        base=VGG.but(PROBED),
        pairs="VGG-19 without norms at the same learning rate",
        protocol=PROTOCOL,
        source="section 3.3.1",
        notes=(
            "The report has the accuracies of VGG-19 and no figure of its surface. Where a network learns nothing, as "
            "VGG-19 without norms at four rates there, its surface says nothing.",
        ),
    ),
)
