"""The simulated traffic: what differs between scenarios, how long answers take, and what both arms show."""
