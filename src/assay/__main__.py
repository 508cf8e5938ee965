"""The command line as ``python -m assay``, for ``torchrun -m``, debuggers and machines without the script."""

import sys

from assay.cli import main

sys.exit(main())
