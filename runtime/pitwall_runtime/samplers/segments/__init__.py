"""Samplers that cut the video into segments, give each a quota and choose inside."""
