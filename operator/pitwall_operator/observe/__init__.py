"""Raw counters in, blocks of counts out; one adapter per place that counters come from."""
