"""Types that the whole gateway shares: questions, answers, errors and telemetry."""
