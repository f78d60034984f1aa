"""Makes the benchmark's modules importable, whose formulas are compared with ours, and gives these tests more time."""

import sys
from pathlib import Path

from hypothesis import settings

ROOT = str(Path(__file__).parents[3])
if ROOT not in sys.path:
    sys.path.append(ROOT)

# a busy machine is no failure; the whole test still has its timeout
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
