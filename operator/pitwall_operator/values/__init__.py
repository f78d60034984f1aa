"""Types that the whole operator shares: observations, effects, reasons, stages and times. Pure."""
