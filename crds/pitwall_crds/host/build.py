"""The environment variable that names a runtime's image, where it is not the installation's own.

What another image decodes and embeds has other keys in every cache.
"""

from typing import Final

VARIABLE: Final = "PITWALL_BUILD"
