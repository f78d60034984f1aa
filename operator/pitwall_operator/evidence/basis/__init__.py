"""What every e-process is made of: counts, boundaries, portfolios of bets, and how numbers are kept. Pure."""
