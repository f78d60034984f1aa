"""Serves HTTP within limits: connections, their places, their times, TLS, and whom a page may not speak for."""
