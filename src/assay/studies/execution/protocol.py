"""What a run's process and the one that starts it say to each other; it imports nothing, so either may be light."""

from __future__ import annotations

import struct

END_OF_RECIPE = "...\n"
"""ends the recipe on the process's standard input"""
FINISHED, REFUSED, DIVERGED, INTERRUPTED = 0, 2, 3, 130
"""exit statuses; any other is a crash"""
STATUS = struct.Struct("i")
"""a fork server's answer: the exit status of a run's process, or the negative number of the signal that killed it"""
