"""What the tables of report R2's first part share: the protocol of their figures, and the quick proxy."""

from __future__ import annotations

from assay.studies.proxy import Proxy

PROTOCOL = (
    "highest test accuracy over the 50 epochs (no held-out split); one run, no seed; reruns vary by up to 2 points"
)
QUICK = Proxy(epochs=10, images=25_000, width=0.25)
