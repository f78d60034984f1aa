"""Encoders: turn pictures and questions into vectors of one joint space."""
