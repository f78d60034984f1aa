"""The gateway: questions of users in, answers of the assigned variant out, with telemetry of both."""
