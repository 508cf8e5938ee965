"""Report R2's last two tables: its best choices put together, and the stem without its pool, on CIFAR-10."""

from __future__ import annotations

from assay.recipe.named.r2 import IMPROVED, STRATEGY, STRUCTURE
from assay.studies.proxy import Proxy
from assay.studies.reports.r2_setting import table
from assay.studies.study import Row

HIDDEN = {name: STRUCTURE[name] for name in ("model.hidden", "model.dropout", "model.dropout_place")}
OTHER_AUGMENTATION = {"augment.crop": 0, "augment.flip": 0.0, "augment.erase": 0.5, "augment.grayscale": 0.2}

STUDIES = (
    table(
        "combination",
        "Do the best structure and the best strategy of the other tables add up?",
        Row(
            "default structure, default strategy",
            {},
            78.62,
            1100,
            note="the base of the other tables, with their figures; not in this one",
        ),
        Row("best structure, best strategy", {**STRUCTURE, **STRATEGY}, 82.64, 1997),
        Row("best structure, default strategy", STRUCTURE, 82.08, 516),
        Row("default structure, best strategy", STRATEGY, 83.16, 1931),
        control="default structure, default strategy",
        source="section 2.2.10",
    ),
    table(
        "no-maxpool",
        "How good does the network get without the stem's pool, and what still changes it?",
        Row("ResNet-18", {}, 95.45, 5938, note="group 1"),
        Row("hidden 10, dropout 0.1", HIDDEN, 95.12, 5945, note="group 2"),
        Row("erasing, grayscale for crop, flip", OTHER_AUGMENTATION, 89.11, 5937, note="group 3"),
        Row("ResNet-34", {"model.name": "resnet34"}, 95.48, 10286, note="group 4"),
        Row("elu", {"model.activation": "elu"}, 92.26, 5979, note="group 5"),
        Row("L2 1e-3", {"optim.weight_decay": 1e-3}, 94.63, 5919, note="group 6"),
        base=IMPROVED,
        control="ResNet-18",
        source="section 2.2.11",
        protocol="highest test accuracy over the 240 epochs",
        quick=Proxy(epochs=12, images=15_000, width=0.25),  # without the pool an image costs twice as much
    ),
)
