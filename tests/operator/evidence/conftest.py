"""Makes the benchmark's modules importable: its formulas are held equal to the operator's here."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[3])
if ROOT not in sys.path:
    sys.path.append(ROOT)
