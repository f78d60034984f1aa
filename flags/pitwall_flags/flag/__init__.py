"""Flag documents: how they are built, checked and evaluated. Pure: no clock, chance or I/O."""
